/// How thorough to be.
struct Effort {
  let isQuick: Bool
  var rounds: Int { isQuick ? 3 : 5 }
  /// Peers that no goal compares with are left out when it must be quick.
  func unlessQuick<Peer>(_ peers: [Peer]) -> [Peer] { isQuick ? [] : peers }
  /// How long one sample of a load lasts, and how long it warms up before, in seconds.
  var seconds: Double { isQuick ? 0.5 : 1 }
  var warmUp: Double { isQuick ? 0.2 : 0.3 }
}

/// A row of the table of goals: measures, prints a table for people, and returns the cells for scripts.
protocol Workload: SendableMetatype {
  /// As in `ONLY=W3`.
  static var name: String { get }
  /// Whether a goal needs it; what none needs is left out when it must be quick.
  static var hasGoals: Bool { get }
  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell]
}

extension Workload {
  static var hasGoals: Bool { true }
}

extension Results {
  /// Each subject's figures, one column a figure; `peer` is what the last column compares with.
  func printTable(_ title: String, _ keys: [String], ratio: (key: String, peer: String)) {
    print("\n\(title): median (minimum–maximum) of \(subjects.map { series($0, ratio.key).values.count }.max() ?? 0)")
    var table = Table(["subject"] + keys + ["× \(ratio.peer) in \(ratio.key)"])
    for subject in subjects {
      let figures = keys.map { series(subject, $0).text }
      table.add([subject] + figures + [self.ratio(subject, to: ratio.peer, ratio.key).text])
    }
    print(table.text)
  }
}
