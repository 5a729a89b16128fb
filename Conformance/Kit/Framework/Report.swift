/// What became of one rule.
public struct RuleResult: Sendable {
  public enum Status: Sendable, Hashable {
    case passed, failed
    /// Not looked at, for the reason given.
    case skipped(String)
  }

  public let rule: Rule
  public let status: Status
  /// What was seen, one phrase each.
  public let evidence: [String]
  /// What was wrong, one sentence each.
  public let failures: [String]
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
  public let subject: Subject
  public let seed: UInt64
  public let results: [RuleResult]

  public var passed: Int { results.count { $0.status == .passed } }
  public var failed: Int { results.count { $0.status == .failed } }
  public var skipped: Int { results.count - passed - failed }
  /// Whether every rule that was looked at holds.
  public var isConforming: Bool { failed == 0 }

  /// The last line, for people and scripts.
  public var summary: String {
    "conformance: \(subject.name): \(results.count) rules, \(passed) passed, \(failed) failed, \(skipped) skipped"
  }

  public var description: String { (results.map(\.text) + [summary]).joined(separator: "\n") }
}
