import Synchronization

/// Counts down to zero; waits for that.
final class Latch: @unchecked Sendable {
  // Sound: `remaining` is only touched under `lock`.
  private let lock = Lock()
  private var remaining: Int
  private let patience: Duration

  init(_ count: Int, patience: Duration) {
    remaining = count
    self.patience = patience
  }

  /// One of the awaited events has happened.
  func signal() { lock.change { remaining -= 1 } }

  /// How many are still to come; negative if more came than were asked for.
  var count: Int { lock.read { remaining } }

  /// Waits for all; throws `CheckFailure` naming `what` when the bound passes.
  func wait(for what: @autoclosure () -> String) throws {
    guard lock.wait(atMost: patience, until: { remaining <= 0 }) else {
      throw CheckFailure("gave up waiting for \(what()): \(count) still to come")
    }
  }

  /// Waits for all; says whether they came within `bound`.
  func wait(atMost bound: Duration) -> Bool { lock.wait(atMost: bound) { remaining <= 0 } }
}

/// Holds those who pass until it is opened: the way to make a worker stuck.
final class Gate: @unchecked Sendable {
  // Sound: the two variables are only touched under `lock`.
  private let lock = Lock()
  private var isOpen = false
  private var arrived = 0
  private let patience: Duration

  init(patience: Duration) { self.patience = patience }

  /// Blocks the calling thread until the gate opens, or until nobody can still be interested.
  func pass() {
    lock.change { arrived += 1 }
    _ = lock.wait(atMost: patience * 2) { isOpen }
  }

  /// Lets everybody through, from now on.
  func open() { lock.change { isOpen = true } }

  /// Waits until `count` callers have arrived at the gate.
  func waitForArrivals(_ count: Int = 1) throws {
    guard lock.wait(atMost: patience, until: { arrived >= count }) else {
      throw CheckFailure("gave up waiting for \(count) to arrive at a gate: \(lock.read { arrived }) did")
    }
  }
}

/// A list that many threads append to and one waits for.
final class Recorder<Element: Sendable>: @unchecked Sendable {
  // Sound: `elements` is only touched under `lock`.
  private let lock = Lock()
  private var elements: [Element] = []
  private let patience: Duration

  init(patience: Duration) { self.patience = patience }

  func append(_ element: Element) { lock.change { elements.append(element) } }
  var all: [Element] { lock.read { elements } }
  var count: Int { lock.read { elements.count } }
  func removeAll() { lock.change { elements.removeAll() } }

  /// Waits until there are `count` elements, and returns all.
  @discardableResult
  func wait(forCount count: Int, of what: @autoclosure () -> String) throws -> [Element] {
    guard lock.wait(atMost: patience, until: { elements.count >= count }) else {
      throw CheckFailure("gave up waiting for \(what()): \(self.count) of \(count) came")
    }
    return all
  }
}

/// An atomic number that closures can share.
final class Tally: Sendable {
  private let number: Atomic<Int>

  init(_ start: Int = 0) { number = Atomic(start) }

  /// Adds and returns the new value.
  @discardableResult
  func add(_ amount: Int = 1) -> Int { number.add(amount, ordering: .sequentiallyConsistent).newValue }
  var value: Int { number.load(ordering: .sequentiallyConsistent) }
  func set(_ value: Int) { number.store(value, ordering: .sequentiallyConsistent) }
  /// Raises it to `value` if it is less.
  func raise(to value: Int) { number.max(value, ordering: .sequentiallyConsistent) }
}

/// A value behind a lock, where a `Tally` is not enough.
final class Shared<Value>: @unchecked Sendable {
  // Sound: `value` is only touched under `lock`; `Value` leaves it only if it is Sendable or by `take`.
  private let lock = Lock()
  private var value: Value

  init(_ value: sending Value) { self.value = value }

  func with<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    try lock.change { try body(&value) }
  }

  /// Waits until the value is as wanted; false if the bound passed first.
  func wait(atMost bound: Duration, until isWanted: (Value) -> Bool) -> Bool {
    lock.wait(atMost: bound) { isWanted(value) }
  }
}
