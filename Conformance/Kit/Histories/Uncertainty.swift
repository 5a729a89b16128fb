/// Whether something has happened, as far as the log can tell: a call that has not returned may have had its effect.
enum Certainty: Int, Comparable, Sendable {
  case no, possibly, yes

  static func < (left: Certainty, right: Certainty) -> Bool { left.rawValue < right.rawValue }
}

/// A variable that calls write, perhaps several at once: the values that it may have now.
///
/// A write is superseded for sure when another, which was called after the first had returned, is *settled*: has taken
/// effect for all that starts from now on.
struct Register<Value: Hashable & Sendable>: Sendable {
  private struct Write: Sendable {
    let number: Int?
    let value: Value
    let calledAt: Int
    var returnedAt: Int?
  }

  private var writes: [Write]

  init(_ value: Value) { writes = [Write(number: nil, value: value, calledAt: -1, returnedAt: -1)] }

  var values: [Value] {
    var found: [Value] = []
    for write in writes where !found.contains(write.value) { found.append(write.value) }
    return found
  }

  mutating func call(_ number: Int, _ value: Value, at position: Int) {
    writes.append(Write(number: number, value: value, calledAt: position, returnedAt: nil))
  }

  /// It was refused, or is overtaken for sure.
  mutating func remove(_ number: Int) { writes.removeAll { $0.number == number } }

  mutating func finish(_ number: Int, at position: Int) {
    if let index = writes.firstIndex(where: { $0.number == number }) { writes[index].returnedAt = position }
  }

  mutating func settle(_ number: Int) {
    guard let settled = writes.first(where: { $0.number == number }) else { return }
    writes.removeAll { $0.number != number && $0.returnedAt ?? .max < settled.calledAt }
  }

  /// It was seen to have this value while nobody wrote.
  /// - Returns: false if it cannot.
  mutating func observe(_ value: Value) -> Bool {
    writes.removeAll { $0.value != value }
    return !writes.isEmpty
  }
}

/// How often something is suspended: at least and at most.
struct Holds: Sendable {
  /// Settled suspends less returned resumes; below zero only while a suspend of one that was resumed is not settled.
  private var count = 0
  private var unsettled: Set<Int> = []
  private var resuming = 0

  /// What a worker that had taken something before a suspend went by.
  var least: Int { max(0, count - resuming) }
  /// What holds for everything that is not taken yet.
  var most: Int { count + unsettled.count }

  mutating func callSuspend(_ number: Int) { unsettled.insert(number) }
  mutating func settleSuspend(_ number: Int) { if unsettled.remove(number) != nil { count += 1 } }
  mutating func callResume() { resuming += 1 }
  mutating func returnResume() {
    resuming -= 1
    count -= 1
  }
}
