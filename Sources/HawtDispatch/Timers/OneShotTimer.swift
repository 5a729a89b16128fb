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

  private let state = Atomic<UInt8>(OneShotTimer.armed)
  private let group: TimerGroup
  private var job: Job?

  init(group: consuming TimerGroup, _ job: consuming Job) {
    self.group = group
    self.job = consume job
  }

  /// - Returns: false if the dispatcher takes no timers.
  func arm(at deadline: Nanoseconds, leeway: Nanoseconds) -> Bool { group.arm(self, at: deadline, leeway: leeway) }

  override func fall(due now: Nanoseconds, _ worker: WorkerRef?) -> Fallen {
    let (due, _) = state.compareExchange(
      expected: OneShotTimer.armed, desired: OneShotTimer.queued, ordering: .acquiringAndReleasing)
    return due ? .due : .over
  }

  override func execute(on worker: Worker, ticket: UInt) {
    let (starts, _) = state.compareExchange(
      expected: OneShotTimer.queued, desired: OneShotTimer.started, ordering: .acquiringAndReleasing)
    // Moved out, which counts no reference.
    guard starts, let job = job.take() else { return }
    job.finish { worker.dispatcher.report($0, .timer, on: worker.currentQueue) }
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
