import Glibc
import HawtConformance
import PollBackend

// A child that a check starts is this executable too: it does what it is asked, and does not come back.
runScenarioIfAsked(subjects: [Subject(PollBackend.self)])

// The tests run every rule in full; a look at each is enough here.
let report = await verify(
  PollBackend.self, knownDifferences: KnownDifference.ofPoll, options: Options(scale: 0.02))
print(report)
exit(report.isConforming ? 0 : 1)
