internal import Synchronization

/// How often a task posts itself again. All peers count in the same way, so that it costs them the same.
package final class Chain: Sendable {
  package static let count = 1000
  /// Slow peers are given shorter chains, so that their samples do not take longer than the others'.
  package static let length = Int(1000 * number("scale", 1))

  private let left: Atomic<Int>
  private let gate: Gate

  package init(_ length: Int, _ gate: Gate) {
    left = Atomic(length)
    self.gate = gate
  }

  /// Whether to post again; the last step tells the gate.
  @inline(__always)
  package func step() -> Bool {
    if left.wrappingSubtract(1, ordering: .relaxed).newValue > 0 { return true }
    gate.signal()
    return false
  }

  /// Starts as many chains as W1 and W2 have, waits for their ends, and returns how many steps that were.
  package static func all(_ start: (Chain) -> Void) -> Int {
    let gate = Gate()
    for _ in 0..<count { start(Chain(length, gate)) }
    gate.wait(count)
    return count * length
  }

  /// One chain, for W4.
  package static func one(_ length: Int, _ start: (Chain) -> Void) -> Int {
    let gate = Gate()
    start(Chain(length, gate))
    gate.wait()
    return length
  }
}

/// What W3's tasks do: count, all at one place.
package final class Counter: Sendable {
  private let value = Atomic<Int>(0)

  package init() {}

  @inline(__always)
  package func add() { value.wrappingAdd(1, ordering: .relaxed) }
}
