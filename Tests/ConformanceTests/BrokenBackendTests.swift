#if ConformanceCommand
  import BrokenBackends
  import HawtConformance
  import Testing

  /// A check that cannot fail proves nothing: each backend that is wrong on purpose must be found out by the rule that is
  /// named for its flaw, and the same wrapper without a flaw by none.
  ///
  /// Each runs in a process of its own, which may crash, hang and leak as it likes.
  @Suite(.serialized) struct BrokenBackendTests {
    /// Runs the command for broken backends.
    private static func verify(_ broken: BrokenSubject, patience: Int) throws -> CommandRun {
      try CommandRun.of(
        "hawt-conformance-broken",
        ["--backend", broken.subject.name, "--rule", broken.rule, "--patience", "\(patience)", "--fail-fast"])
    }

    @Test(arguments: BrokenSubject.all) func isCaught(_ broken: BrokenSubject) throws {
      let outcome = try Self.verify(broken, patience: 2)
      #expect(outcome.code == 1, "\(broken) survived \(broken.rule):\n\(outcome.text)")
      let hasFailed = outcome.text.split(separator: "\n").contains {
        $0.hasPrefix(broken.rule + " ") && $0.contains("FAILED")
      }
      #expect(hasFailed, "\(broken) was not caught by \(broken.rule):\n\(outcome.text)")
    }

    @Test func theSameWithoutAFlawKeepsEveryRuleThatTheyBreak() throws {
      let outcome = try Self.verify(.control, patience: 60)
      #expect(outcome.code == 0, "\(outcome.text)")
      let rules = Set(BrokenSubject.all.map(\.rule))
      #expect(rules.isSubset(of: Set(BrokenSubject.control.rule.split(separator: ",").map(String.init))))
      for rule in rules {
        #expect(outcome.text.contains("\n\(rule) "), "the control did not look at \(rule)")
      }
    }

    @Test func thereAreManyAndEachIsNamedOnce() {
      #expect(BrokenSubject.all.count >= 10)
      #expect(Set(BrokenSubject.all.map(\.subject.name)).count == BrokenSubject.all.count)
    }
  }
#endif
