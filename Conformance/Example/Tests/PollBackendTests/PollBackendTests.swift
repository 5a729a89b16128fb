import HawtConformance
import PollBackend
import Testing

/// Every rule is a test case. Serialized, because rules about CPU time and latency would disturb each other.
@Suite(.serialized) struct PollBackendTests {
  let subject = Subject(PollBackend.self, knownDifferences: KnownDifference.ofPoll)

  @Test(arguments: Catalogue.rules) func keeps(_ rule: Rule) async {
    let result = await verify(rule, on: subject, options: Options(scenarioExecutable: "verify-poll"))
    #expect(result.status == .passed, "\(result.text)")
  }
}
