import HawtConformance
import HawtConformanceCommand

ConformanceMain.run(Subject.builtIn)
