import BrokenBackends
import Glibc
import HawtConformanceCommand

#if ConformanceCommand
  ConformanceMain.run(([.control] + BrokenSubject.all).map(\.subject))
#else
  print("built without the trait ConformanceCommand: build with --traits default,ConformanceCommand")
  exit(3)
#endif
