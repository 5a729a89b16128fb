import HawtConformance
import Testing

/// The kit's own promises: a rule that was not really looked at must not pass.
@Suite struct KitTests {
  private static func result(_ body: @escaping @Sendable (CheckContext) throws -> Void) async -> RuleResult {
    let rule = Rule("X1", "a rule for tests", why: "why it is", whereToLook: ["here"], checks: [Check("a check", body)])
    return await verify(rule, on: Subject.builtIn[0], options: Options(seed: 42))
  }

  @Test func evidenceIsReported() async {
    let result = await Self.result {
      $0.record("apples", 2)
      $0.record("apples", 3)
      $0.record("a pear")
    }
    #expect(result.status == .passed)
    #expect(result.evidence == ["5 apples", "a pear"])
  }

  @Test func aCheckWithoutEvidenceFails() async {
    let result = await Self.result { $0.record("nothing", 0) }
    #expect(result.status == .failed)
    #expect(result.failures.first?.contains("no evidence") == true)
  }

  @Test func aFailureTellsWhatHelps() async {
    let result = await Self.result {
      $0.record("something")
      $0.expect(false, "it was wrong")
    }
    #expect(result.status == .failed)
    for text in ["X1", "FAILED", "a check: it was wrong", "why it is", "here", "--rule X1 --seed 42"] {
      #expect(result.text.contains(text))
    }
  }

  @Test func aCheckThatThrowsFailsAndIsCleanedUp() async {
    let cleaned = Cleaned()
    let result = await Self.result { context in
      context.record("something")
      context.atEnd(.descriptors) { cleaned.steps.append("descriptors") }
      context.atEnd(.gates) { cleaned.steps.append("gates") }
      context.atEnd(.dispatchers) { cleaned.steps.append("dispatchers") }
      throw CheckFailure("it gave up")
    }
    #expect(result.failures == ["a check: it gave up"])
    #expect(cleaned.steps == ["gates", "dispatchers", "descriptors"])
  }

  @Test func aRuleWithoutChecksFails() async {
    let rule = Rule("X2", "empty", why: "why", whereToLook: ["here"], checks: [])
    #expect(await verify(rule, on: Subject.builtIn[0]).status == .failed)
  }

  @Test func anUntestedRuleIsSkippedAndSaysSo() async {
    let rule = Rule("X3", "cannot be tested", level: .untested, why: "why", whereToLook: ["here"], checks: [])
    let report = await verify(Subject.builtIn[0], rules: [rule])
    #expect(report.isConforming && report.skipped == 1)
    #expect(report.summary == "conformance: \(Subject.builtIn[0]): 1 rules, 0 passed, 0 failed, 1 skipped")
  }

  @Test func theSameSeedGivesEachCheckTheSameStart() async {
    let seeds = Cleaned()
    for _ in 0..<2 {
      _ = await Self.result {
        seeds.steps.append("\($0.seed)")
        $0.record("seed")
      }
    }
    #expect(seeds.steps.count == 2 && seeds.steps[0] == seeds.steps[1])
  }

  @Test func aCheckThatIsDeclaredToFailMustFail() async {
    let declared = KnownDifference.check("X4", "a check", saying: "was wrong", because: "it is so")
    let subject = Subject.builtIn[0].declaring([declared])
    for isBroken in [true, false] {
      let check = Check("a check") {
        $0.record("something")
        $0.expect(!isBroken, "it was wrong")
      }
      let rule = Rule("X4", "a rule for tests", why: "why", whereToLook: ["here"], checks: [check])
      let result = await verify(rule, on: subject)
      #expect(result.status == (isBroken ? .passed : .failed))
      #expect(isBroken || result.failures[0].contains("take the declaration out"))
      #expect(!isBroken || result.evidence == ["a known difference (it is so)"])
    }
  }

  @Test func aCheckThatIsDeclaredToFailMustFailInThatWay() async {
    let declared = KnownDifference.check("X4", "a check", saying: "was wrong", because: "it is so")
    let check = Check("a check") {
      $0.record("something")
      $0.expect(false, "it was wrong")
      $0.expect(false, "it was late")
    }
    let rule = Rule("X4", "a rule for tests", why: "why", whereToLook: ["here"], checks: [check])
    let result = await verify(rule, on: Subject.builtIn[0].declaring([declared]))
    #expect(result.failures == ["a check: it was late"])
  }

  @Test func aDifferenceOfACheckThatDoesNotExistFails() async {
    let check = Check("a check") { $0.record("something") }
    let rule = Rule("X4", "a rule for tests", why: "why", whereToLook: ["here"], checks: [check])
    let stale = Subject.builtIn[0].declaring([.check("X4", "the check's old name", saying: "", because: "it was so")])
    let result = await verify(rule, on: stale)
    #expect(result.failures == ["a difference is declared for 'the check's old name', which is no check of X4"])
    // Of a rule that is gone, those about bare backends tell, as they do of the matrix's rows.
    let gone = Subject.builtIn[0].declaring([.check("Z9", "anything", saying: "", because: "it was so")])
    let b1 = await verify(Catalogue.rules(matching: "B1")[0], on: gone)
    #expect(b1.failures.contains { $0.contains("'Z9: anything', and there is no such rule") }, "\(b1.text)")
  }

  @Test func patternsChooseRules() {
    #expect(Catalogue.rules(matching: "q1").map(\.id) == ["Q1"])
    #expect(Catalogue.rules(matching: "M*").allSatisfy { $0.family == "M" })
    #expect(Catalogue.rules(matching: "*").count == Catalogue.rules.count)
    #expect(Catalogue.rules(matching: "Q12,L1").map(\.id) == ["Q12", "L1"])
    #expect(Catalogue.rules(matching: "Z9").isEmpty)
  }
}

/// Written by one thread at a time: the check's, then, after its end, the test's.
private final class Cleaned: @unchecked Sendable {
  var steps: [String] = []
}
