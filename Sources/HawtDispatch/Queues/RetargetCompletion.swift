internal import Synchronization

/// What a retarget owes its caller: one call, when the queue and all that it carries have left the old thread, or when
/// a later retarget has overtaken it (rule M3).
///
/// It counts what is outstanding: the retarget itself while it is being made, the runner that has to leave, and each
/// source and timer group that has to move.
final class RetargetCompletion: @unchecked Sendable {
  // Sound as Sendable: atomics; `owed` is touched by whoever sets `isCalled`, `leaving` is guarded by the
  // topology lock.
  /// Let go of by whoever makes the call: the handler may hold the very queue that holds this.
  private var owed: (target: QueueCore, handler: @Sendable (SerialQueue.RetargetOutcome) -> Void)?
  /// Whether it is a source's own, which a later retarget of that source overtakes.
  let isOfSource: Bool
  private let outstanding = Atomic<Int>(1)
  private let isCalled = Atomic<Bool>(false)
  /// The epoch that the runner has to reach. Guarded by the topology lock.
  private var leaving: UInt32?

  init(
    target: QueueCore, isOfSource: Bool = false, handler: @escaping @Sendable (SerialQueue.RetargetOutcome) -> Void
  ) {
    owed = (target, handler)
    self.isOfSource = isOfSource
  }

  /// Counts in what has to move. Only while the retarget is being made, so the count cannot reach zero meanwhile.
  func expect(_ count: Int) { outstanding.wrappingAdd(count, ordering: .relaxed) }

  /// Counts in the runner. The topology lock is held.
  func expectLeaving(_ epoch: UInt32) {
    leaving = epoch
    expect(1)
  }

  /// Whether the runner that left at `epoch` is the one that was waited for. The topology lock is held.
  func takeLeaving(upTo epoch: UInt32) -> Bool {
    // The difference, as epochs wrap around: a runner that left before this retarget saw an older one.
    guard let awaited = leaving, Int32(bitPattern: epoch &- awaited) >= 0 else { return false }
    leaving = nil
    return true
  }

  /// Counts one out.
  func fulfil() {
    // Releases what was moved to whoever makes the call, and acquires what the others moved.
    if outstanding.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { finish(.effective) }
  }

  /// A later retarget overtook this one.
  func supersede() { finish(.superseded) }

  private func finish(_ outcome: SerialQueue.RetargetOutcome) {
    // Whoever sets the flag first makes the call.
    guard !isCalled.exchange(true, ordering: .acquiringAndReleasing), let (target, handler) = owed else { return }
    owed = nil
    target.owe { handler(outcome) }
  }
}
