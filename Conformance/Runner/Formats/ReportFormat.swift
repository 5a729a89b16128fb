#if ConformanceCommand
  import ArgumentParser
  import HawtConformance

  /// The ways in which `hawt-conformance` writes what it found.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case text, tap, json, junit

    /// Makes what writes this format.
    func makeWriter(for plan: Plan, to output: Output = .standard) -> any ReportWriter {
      switch self {
      case .text: TextWriter(plan, output)
      case .tap: TapWriter(plan, output)
      case .json: JSONWriter(output)
      case .junit: JUnitWriter(output)
      }
    }
  }

  /// What is going to be run.
  struct Plan {
    let subjects: [Subject]
    let rules: [Rule]
    let repetitions: Int

    /// How many results there will be.
    var count: Int { subjects.count * rules.count * repetitions }
  }

  /// One subject, looked at once.
  struct Run {
    let subject: Subject
    let seed: UInt64
    /// Counted from 1.
    let repetition: Int
    var results: [RuleResult] = []

    var report: Report { Report(subject: subject, seed: seed, results: results) }
  }

  /// Is told of a verification step by step, and writes it.
  protocol ReportWriter {
    mutating func began(_ run: Run)
    /// The rule is about to be looked at, as the `number`-th of its run, counted from 1.
    mutating func began(_ rule: Rule, number: Int)
    mutating func ended(_ result: RuleResult, in run: Run)
    mutating func ended(_ run: Run)
    mutating func ended(_ runs: [Run])
  }

  extension ReportWriter {
    mutating func began(_ run: Run) {}
    mutating func began(_ rule: Rule, number: Int) {}
    mutating func ended(_ result: RuleResult, in run: Run) {}
    mutating func ended(_ run: Run) {}
  }
#endif
