/// What became of one rule.
public struct RuleResult: Sendable {
  /// How a rule came out.
  public enum Status: Sendable, Hashable {
    case passed, failed
    /// Not looked at, for the reason given.
    case skipped(String)
  }

  /// The rule.
  public let rule: Rule
  /// How it came out.
  public let status: Status
  /// What was seen, one phrase each.
  public let evidence: [String]
  /// What was seen one by one, where it is much: the cells of the readiness matrix. For programs; `text` leaves it out.
  public let details: [String]
  /// What was wrong, one sentence each.
  public let failures: [String]
  /// How long its checks took.
  public let duration: Duration
  /// The command that does the same again.
  public let replay: String

  /// One line for a rule that holds; for one that does not, all that helps to find the fault.
  public var text: String {
    switch status {
    case .passed:
      return "\(padded(rule.id)) ok      \(rule.title) [\(evidence.joined(separator: ", "))] \(duration.brief)"
    case .skipped(let reason):
      return "\(padded(rule.id)) skipped \(rule.title): \(reason)"
    case .failed:
      var lines = ["\(padded(rule.id)) FAILED  \(rule.title)"]
      lines += failures.map { "      - \($0)" }
      lines.append("      why it matters: \(rule.why)")
      lines.append("      where to look:  \(rule.whereToLook.joined(separator: ", "))")
      lines.append("      replay:         \(replay)")
      return lines.joined(separator: "\n")
    }
  }

  private func padded(_ id: String) -> String { id.count < 3 ? id + String(repeating: " ", count: 3 - id.count) : id }
}

/// What a verification found.
public struct Report: Sendable, CustomStringConvertible {
  /// What was verified.
  public let subject: Subject
  /// The seed that repeats the run.
  public let seed: UInt64
  /// A result for each rule, in the order of the catalogue.
  public let results: [RuleResult]

  /// Puts results together: of rules that were looked at one by one, say.
  public init(subject: Subject, seed: UInt64, results: [RuleResult]) {
    self.subject = subject
    self.seed = seed
    self.results = results
  }

  /// How many rules held.
  public var passed: Int { results.count { $0.status == .passed } }
  /// How many were broken.
  public var failed: Int { results.count { $0.status == .failed } }
  /// How many were not looked at.
  public var skipped: Int { results.count - passed - failed }
  /// Whether every rule that was looked at holds.
  public var isConforming: Bool { failed == 0 }

  /// The last line, for people and scripts.
  public var summary: String {
    "conformance: \(subject.name): \(results.count) rules, \(passed) passed, \(failed) failed, \(skipped) skipped"
  }

  /// A line for each rule, and the summary.
  public var description: String { (results.map(\.text) + [summary]).joined(separator: "\n") }
}
