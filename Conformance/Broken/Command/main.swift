import BrokenBackends
import HawtConformanceCommand

ConformanceMain.run(([.control] + BrokenSubject.all).map(\.subject))
