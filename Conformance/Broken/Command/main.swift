import BrokenBackends
import Glibc
import HawtConformanceCommand

#if ConformanceCommand
  if CommandLine.arguments.dropFirst().elementsEqual(["--manifest"]) {
    for broken in BrokenSubject.all { print(broken.line) }
    exit(0)
  }
  ConformanceMain.run(([.control] + BrokenSubject.all).map(\.subject))
#else
  print("built without the trait ConformanceCommand: build with --traits default,ConformanceCommand")
  exit(3)
#endif
