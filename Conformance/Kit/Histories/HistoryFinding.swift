/// What was found wrong with a history.
public struct HistoryFinding: Sendable, CustomStringConvertible {
  /// Who contradicts whom.
  public enum Kind: Sendable, Hashable {
    /// The model does not allow what was observed.
    case rejected
    /// Backends made different observations of the same lockstep history.
    case differs
  }
  /// Who contradicts whom.
  public let kind: Kind
  /// What was observed on which backend, and the rule that it breaks.
  public let reason: String
  /// What is wrong, on whatever backend, in words that are the same wherever in a history it is.
  let faults: Set<String>
  /// What was observed before the history was made shorter.
  public internal(set) var firstReason: String
  /// The history, as short as it could be made.
  let history: History

  /// - Parameter faults: what the model says of each backend that it rejects, or the lines that differ.
  init(kind: Kind, reason: String, faults: [String] = [], history: History) {
    self.kind = kind
    self.reason = reason
    self.faults = Set(faults.map(HistoryFinding.pattern))
    firstReason = reason
    self.history = history
    replay = "--replay \(history.name)"
  }

  /// Whether it may be the same fault: who contradicts whom, and what is wrong. One rule is broken in many ways, and a
  /// history that is shortened from one to another shows nothing of the first.
  func isLike(_ other: HistoryFinding) -> Bool {
    kind == other.kind && (faults == other.faults || !faults.isDisjoint(with: other.faults))
  }

  /// A fault's words without what is chance in them: which steps, queues and workers, and how many.
  private static func pattern(of fault: String) -> String {
    fault.replacing(#/ \(event .*/#, with: "")
      .replacing(#/\b([qt]\d+|g)\b(, ([qt]\d+|g)\b)*/#, with: "a queue")
      .replacing(#/\d+( to \d+)?/#, with: "#")
  }

  /// The history's name, as `--replay` takes it.
  public var name: String { history.name }
  /// The history's steps, as they are printed.
  public var steps: [String] { history.steps.map(\.description) }

  /// The command that plays it again.
  public internal(set) var replay: String

  /// The history, what is wrong with it, and the command that plays it again.
  public var description: String {
    let steps = steps.map { "      \($0)" }.joined(separator: "\n")
    let before = firstReason == reason ? "" : "\n    before it was made shorter:\n    \(firstReason)"
    return "\(reason)\(before)\n    the history:\n\(steps)\n    replay: \(replay)"
  }
}
