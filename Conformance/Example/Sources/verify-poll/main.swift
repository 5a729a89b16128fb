import HawtConformance
import HawtConformanceCommand
import PollBackend

ConformanceMain.run([Subject(PollBackend.self, knownDifferences: KnownDifference.ofPoll)])
