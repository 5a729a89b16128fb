import Testing

@testable import HawtConformance

/// A wrong history is made as short as it can be, and stays wrong in the same way.
@Suite(.serialized) struct HistoriesShrinkingTests {
  @Test func aWrongHistoryIsShortenedToWhatMatters() throws {
    let whole = History(.lockstep, seed: 5)
    let needed: Set<Int> = [whole.steps[2].number, whole.steps[whole.length - 3].number]
    let finding = HistoryFinding(kind: .differs, reason: "two steps", history: whole)
    var plays = 0
    let least = shortest(finding) { part in
      plays += 1
      let isWrong = needed.isSubset(of: part.steps.map(\.number))
      return isWrong ? HistoryFinding(kind: .differs, reason: "two steps", history: part) : nil
    }
    #expect(Set(least.history.steps.map(\.number)) == needed)
    #expect(plays < whole.length * 4)
    #expect("\(least)".contains("--replay \(least.history.name)"))
  }

  /// Each part is played until it shows, or has not so often that it never will.
  @Test func soIsOneThatIsWrongNowAndThen() throws {
    let whole = History(.lockstep, seed: 5)
    let needed: Set<Int> = [whole.steps[2].number, whole.steps[whole.length - 3].number]
    for seed in 1...20 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      let least = shortest(HistoryFinding(kind: .differs, reason: "now and then", history: whole)) { part in
        let isWrong = needed.isSubset(of: part.steps.map(\.number)) && random.oneIn(3)
        return isWrong ? HistoryFinding(kind: .differs, reason: "now and then", history: part) : nil
      }
      #expect(Set(least.history.steps.map(\.number)) == needed, "seed \(seed)")
    }
  }

  /// A rule is broken in many ways: what is found in a part must be what was found in the whole.
  @Test(arguments: [
    (
      "S1: the handler of s7 never ran, and something is ready",
      "S1: the handler of s12 never ran, and something is ready", true
    ),
    (
      "S1: the handler of s7 never ran, and something is ready", "S1: the handler of s7 started, and nothing was ready",
      false
    ),
    (
      "M3: q0 has the target t1, not one of [g, t2] (event 9: {\"event\":\"target\"})",
      "M3: q3 has the target g, not one of [q1] (event 4: {\"event\":\"target\"})", true
    ),
    ("Q1: k3 ran twice", "Q1: k3 overtook k5 on q0", false),
    (
      "L3: 2 tasks were accepted and did not run, 1 are reported",
      "L3: 1 to 3 tasks were accepted and did not run, 0 are reported", true
    ),
  ]) func onlyTheSameFaultIsAlike(_ one: String, _ other: String, _ areAlike: Bool) {
    let history = History(.racing, seed: 5)
    let first = HistoryFinding(kind: .rejected, reason: one, faults: [one], history: history)
    let second = HistoryFinding(
      kind: .rejected, reason: other, faults: ["Q3: a call did not return", other], history: history)
    #expect(first.isLike(second) == areAlike && second.isLike(first) == areAlike)
    #expect(!first.isLike(HistoryFinding(kind: .differs, reason: one, faults: [one], history: history)))
  }

  @Test func aHistoryIsNeverShortenedToNothing() throws {
    let whole = History(.lockstep, seed: 5)
    let least = shortest(HistoryFinding(kind: .differs, reason: "always", history: whole)) {
      HistoryFinding(kind: .differs, reason: "always", history: $0)
    }
    #expect(least.history.steps.count == 1)
    #expect(History(named: least.history.name)?.steps == least.history.steps)
  }

  /// From the seed to the few steps that matter, and back from their name.
  @Test func aBackendThatDiffersIsFoundAndTheHistoryShortened() throws {
    let subjects = [Subject.builtIn[0], Subject(ForgetfulBackend<EachTime>.self)]
    let options = HistoryOptions(seed: 1, count: 200, choice: .lockstep, patience: .seconds(2))
    let report = try compareHistories(on: subjects, options: options)
    let finding = try #require(report.finding, "200 histories showed nothing")
    #expect(finding.kind == .differs)
    #expect(finding.reason.contains("forgetful: rejected, S1"), "\(finding)")
    #expect(finding.history.steps.count <= 3, "\(finding)")
    let again = try replayHistory(named: finding.history.name, on: subjects, options: options)
    #expect(again?.finding?.kind == .differs)
    let alone = try replayHistory(named: finding.history.name, on: [subjects[0]], options: options)
    #expect(alone?.histories == 1 && alone?.finding == nil)
  }

  /// The same where it shows now and then, on every stage another time.
  @Test(arguments: [HistoryOptions.Choice.lockstep, .racing])
  func soIsOneOfABackendThatIsWrongNowAndThen(_ choice: HistoryOptions.Choice) throws {
    let options = HistoryOptions(seed: 1, count: 200, choice: choice, patience: .seconds(2))
    let subjects = [Subject.builtIn[0], Subject(ForgetfulBackend<EachThirdTime>.self)]
    let finding = try #require(
      try compareHistories(on: subjects, options: options).finding, "200 histories showed nothing")
    #expect(finding.reason.contains("forgetful: rejected, S1"), "\(finding)")
    #expect(finding.history.steps.count <= 4, "\(finding)")
  }
}
