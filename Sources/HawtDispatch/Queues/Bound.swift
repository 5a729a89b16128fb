internal import Synchronization

/// The bound of a queue (rule Q11): how many user tasks wait, and whether the low-water call is owed.
final class Bound: Sendable {
  let limit: QueueLimit
  /// Tasks admitted and not yet started; relaxed operations, as a counter alone orders nothing.
  private let waiting = Atomic<Int>(0)
  /// Whether a submission was refused since the last low-water call.
  private let owed = Atomic<Bool>(false)

  init(_ limit: QueueLimit) { self.limit = limit }

  /// Counts a user's task in, unless the queue is full.
  func admit() -> Bool {
    var seen = waiting.load(ordering: .relaxed)
    while true {
      if seen >= limit.maximum {
        // Sequentially consistent, and then a second look: either the consumer sees that a call is owed, or this
        // submitter sees that there is room again.
        owed.store(true, ordering: .sequentiallyConsistent)
        seen = waiting.load(ordering: .sequentiallyConsistent)
        if seen >= limit.maximum { return false }
        continue
      }
      let (done, now) = waiting.weakCompareExchange(expected: seen, desired: seen + 1, ordering: .relaxed)
      if done { return true }
      seen = now
    }
  }

  /// Counts a task out. True if the low-water call is due now, once.
  func consumed() -> Bool {
    let left = waiting.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue
    guard left <= limit.lowWater, owed.load(ordering: .sequentiallyConsistent) else { return false }
    return owed.exchange(false, ordering: .relaxed)
  }

  /// Counts a task out that did not run. The call that may be due now is made when the dispatcher starts again.
  func discarded() { waiting.wrappingSubtract(1, ordering: .sequentiallyConsistent) }

  /// Whether the low-water call is due though no task was consumed.
  func takeOwedCall() -> Bool {
    guard waiting.load(ordering: .sequentiallyConsistent) <= limit.lowWater else { return false }
    return owed.exchange(false, ordering: .relaxed)
  }

  /// Puts off a call that was taken and could not be made.
  fileprivate func oweAgain() { owed.store(true, ordering: .sequentiallyConsistent) }
}

/// A low-water call that is made as an entry of its queue. One that a shutdown discards is owed again.
final class LowWaterCall: Runnable {
  private let bound: Bound
  init(_ bound: Bound) { self.bound = bound }

  override func execute(on worker: Worker, ticket: UInt) { worker.callLowWater(bound) }

  override func discard(ticket: UInt) -> Bool {
    bound.oweAgain()
    return false
  }
}
