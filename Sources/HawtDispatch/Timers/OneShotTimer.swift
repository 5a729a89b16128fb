internal import Synchronization

/// A timer of `asyncAfter`.
///
///     armed ──due──▶ queued ──its entry is taken──▶ started
///       └──cancel──▶ cancelled ◀──cancel──┘            (a cancel that comes later says false, rule T3)
final class OneShotTimer: ArmedTimer, @unchecked Sendable {
  // Sound as Sendable: atomics and constants; `job` is touched by whoever made the one transition that ends it.
  private static let armed: UInt8 = 0
  private static let queued: UInt8 = 1
  private static let started: UInt8 = 2
  private static let cancelled: UInt8 = 3

  private let group: TimerGroup
  /// Touched only while the timer is armed, and kept alive by that.
  private unowned(unsafe) let queue: QueueCore
  private var job: Job?
  private let state = Atomic<UInt8>(OneShotTimer.armed)

  /// - Precondition: `group` is one of `queue`'s; an armed timer keeps the queue alive.
  init(group: TimerGroup, queue: QueueCore, _ job: Job) {
    self.group = group
    self.queue = queue
    self.job = job
  }

  override func fall(due now: Nanoseconds, _ worker: WorkerRef?) -> Nanoseconds? {
    let (due, _) = state.compareExchange(
      expected: OneShotTimer.armed, desired: OneShotTimer.queued, ordering: .acquiringAndReleasing)
    if due { queue.enqueue(Entry(self), worker: worker) }
    return nil
  }

  override func execute(on worker: Worker, ticket: UInt) {
    let (starts, _) = state.compareExchange(
      expected: OneShotTimer.queued, desired: OneShotTimer.started, ordering: .acquiringAndReleasing)
    guard starts, let job else { return }
    self.job = nil
    do { try job.run() } catch { worker.dispatcher.report(error, .timer, on: worker.currentQueue) }
  }

  func cancel() -> Bool {
    var seen = state.load(ordering: .relaxed)
    while seen == OneShotTimer.armed || seen == OneShotTimer.queued {
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: OneShotTimer.cancelled, ordering: .acquiringAndReleasing)
      guard done else {
        seen = now
        continue
      }
      if seen == OneShotTimer.armed { group.disarm(self) }
      job = nil
      return true
    }
    return seen == OneShotTimer.cancelled
  }

  override func drop() -> Bool {
    let (dropped, _) = state.compareExchange(
      expected: OneShotTimer.armed, desired: OneShotTimer.cancelled, ordering: .acquiringAndReleasing)
    if dropped { job = nil }
    return dropped
  }

  override func discard(ticket: UInt) -> Bool {
    let (discarded, _) = state.compareExchange(
      expected: OneShotTimer.queued, desired: OneShotTimer.cancelled, ordering: .acquiringAndReleasing)
    if discarded { job = nil }
    return discarded
  }
}
