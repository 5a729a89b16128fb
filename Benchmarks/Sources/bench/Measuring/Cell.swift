/// A goal, and what was measured: one line for scripts.
struct Cell {
  enum Goal {
    case atLeast(Double)
    case atMost(Double)
  }

  let id: String
  let value: Series
  let unit: String
  let goal: Goal

  /// At least: more is better.
  static func atLeast(_ goal: Double, _ id: String, _ value: Series, _ unit: String) -> Cell {
    Cell(id: id, value: value, unit: unit, goal: .atLeast(goal))
  }

  /// At most: less is better.
  static func atMost(_ goal: Double, _ id: String, _ value: Series, _ unit: String) -> Cell {
    Cell(id: id, value: value, unit: unit, goal: .atMost(goal))
  }

  var isReached: Bool {
    switch goal {
    case .atLeast(let limit): value.median >= limit
    case .atMost(let limit): value.median <= limit
    }
  }

  /// `bench W6.reactor.epoll.n50 value 0.98 unit ratio-to-c goal >=0.97 ok`
  var line: String {
    let sign =
      switch goal {
      case .atLeast(let limit): ">=\(compact(limit))"
      case .atMost(let limit): "<=\(compact(limit))"
      }
    return "bench \(id) value \(compact(value.median)) unit \(unit) goal \(sign) \(isReached ? "ok" : "short")"
  }
}
