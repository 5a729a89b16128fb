import HawtDispatch

/// The shapes of ordered queues: what is promised of one is promised of all.
enum QueueKind: String, CaseIterable, Sendable {
  case unpinned, pinned, nested
  case nestedPinned = "nested and pinned"
  case thread

  /// A queue of this shape, labelled `label`.
  func make(_ dispatcher: Dispatcher, _ label: String) throws -> any Queue {
    switch self {
    case .unpinned: return dispatcher.makeSerialQueue(label: label)
    case .pinned: return try dispatcher.makeSerialQueue(label: label, target: dispatcher.threadQueues[0])
    case .nested:
      let parent = dispatcher.makeSerialQueue(label: label + " parent")
      return try dispatcher.makeSerialQueue(label: label, target: parent)
    case .nestedPinned:
      let parent = try dispatcher.makeSerialQueue(label: label + " parent", target: dispatcher.threadQueues[0])
      return try dispatcher.makeSerialQueue(label: label, target: parent)
    case .thread: return dispatcher.threadQueues[0]
    }
  }

  /// The same, for what only serial queues can do.
  static let serial: [QueueKind] = [.unpinned, .pinned, .nested, .nestedPinned]

  func makeSerial(_ dispatcher: Dispatcher, _ label: String) throws -> SerialQueue {
    guard let queue = try make(dispatcher, label) as? SerialQueue else {
      throw CheckFailure("\(rawValue) is no serial queue")
    }
    return queue
  }
}

/// A variable that nothing protects but the serial queue on which it is used; the thread sanitizer sees if that fails.
final class Unguarded<Value>: @unchecked Sendable {
  // Sound only if the rule under test holds: that is the point.
  var value: Value
  init(_ value: sending Value) { self.value = value }
}

/// Notes whether two threads are ever inside at once.
final class OverlapDetector: Sendable {
  private let inside = Tally()
  private let overlaps = Tally()

  func enter() { if inside.add(1) != 1 { overlaps.add() } }
  func leave() { inside.add(-1) }
  var count: Int { overlaps.value }
}

/// Tells when it is freed: captured by a task, it shows when the task's captures are let go.
final class Token: Sendable {
  private let onRelease: @Sendable () -> Void
  init(_ onRelease: @escaping @Sendable () -> Void) { self.onRelease = onRelease }
  deinit { onRelease() }
  /// Keeps a closure that captures it from being optimised into one that does not.
  @inline(never) func touch() {}
}
