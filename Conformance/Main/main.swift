import Glibc
import HawtConformance
import HawtConformanceCommand

#if ConformanceCommand
  ConformanceMain.run(Subject.builtIn)
#else
  // A child that a check has started needs no command line.
  runScenarioIfAsked(subjects: Subject.all)
  print(
    "built without the trait ConformanceCommand: say make conformance, or build with --traits default,ConformanceCommand"
  )
  exit(3)
#endif
