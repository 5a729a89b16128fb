/// Something that does not vary from run to run, and its limit.
struct Gate {
  enum Limit {
    case atMost(Double)
    /// Two-sided: better fails as well, until the figure is brought up to date, so that the gate stays tight.
    case within(share: Double, of: Double)
    /// Nobody has said yet what it should be.
    case unknown
  }

  let name: String
  let value: Double
  let limit: Limit

  var holds: Bool {
    switch limit {
    case .atMost(let most): value <= most
    case .within(let share, let figure): abs(value - figure) <= share * figure
    case .unknown: false
    }
  }

  /// `gate system-calls.echo.epoll 2.02 <=2.05 ok`
  var line: String {
    let text =
      switch limit {
      case .atMost(let most): "<=\(compact(most))"
      case .within(let share, let figure): "\(compact(figure))±\(compact(share * 100))%"
      case .unknown: "none"
      }
    return "gate \(name) \(compact(value)) \(text) \(holds ? "ok" : "FAILED")"
  }
}
