internal import Synchronization

/// A timer of `asyncAfter`.
///
///     armed ──due──▶ queued ──its entry is taken──▶ started
///       └──cancel──▶ cancelled ◀──cancel──┘            (a cancel that comes later says false, rule T3)
class OneShotTimer: ArmedTimer, @unchecked Sendable {
  // Sound as Sendable: atomics and constants; `job` is touched by whoever made the one transition that ends it.
  // All of it stands in one cache line, as a cancel costs little else than fetching that.
  private static let armed: UInt8 = 0
  private static let queued: UInt8 = 1
  private static let started: UInt8 = 2
  private static let cancelled: UInt8 = 3

  private final let state = Atomic<UInt8>(OneShotTimer.armed)
  private final let group: TimerGroup
  private final var job: Job?

  init(group: consuming TimerGroup, _ job: consuming Job) {
    self.group = group
    self.job = consume job
  }

  /// - Returns: false if the dispatcher takes no timers.
  final func arm(at deadline: Nanoseconds, leeway: Nanoseconds) -> Bool {
    group.arm(self, at: deadline, leeway: leeway)
  }

  final override func fall(due now: Nanoseconds, _ worker: WorkerRef?) -> Fallen {
    let (due, _) = state.compareExchange(
      expected: OneShotTimer.armed, desired: OneShotTimer.queued, ordering: .acquiringAndReleasing)
    return due ? .due : .cancelled
  }

  final override func execute(on worker: Worker, ticket: UInt) {
    let (starts, _) = state.compareExchange(
      expected: OneShotTimer.queued, desired: OneShotTimer.started, ordering: .acquiringAndReleasing)
    // Moved out, which counts no reference.
    guard starts, let job = job.take() else { return }
    job.finish { worker.dispatcher.report($0, .timer, on: worker.currentQueue) }
  }

  // Relaxed: who asks under the group's lock may as well find it a moment later.
  final override var isCancelled: Bool { state.load(ordering: .relaxed) == OneShotTimer.cancelled }

  final func cancel() -> Bool {
    var seen = state.load(ordering: .relaxed)
    while seen == OneShotTimer.armed || seen == OneShotTimer.queued {
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: OneShotTimer.cancelled, ordering: .acquiringAndReleasing)
      guard done else {
        seen = now
        continue
      }
      if seen == OneShotTimer.armed { group.leaveCancelled(self) }
      job = nil
      return true
    }
    return seen == OneShotTimer.cancelled
  }

  final override func drop() -> Bool {
    let (dropped, _) = state.compareExchange(
      expected: OneShotTimer.armed, desired: OneShotTimer.cancelled, ordering: .acquiringAndReleasing)
    if dropped { job = nil }
    return dropped
  }

  final override func discard(ticket: UInt) -> Bool {
    let (discarded, _) = state.compareExchange(
      expected: OneShotTimer.queued, desired: OneShotTimer.cancelled, ordering: .acquiringAndReleasing)
    if discarded { job = nil }
    return discarded
  }
}

/// A timer of `asyncAfter` that may be told late.
final class LaxTimer: OneShotTimer, @unchecked Sendable {
  // Sound as Sendable: the group's lock guards the mark.
  private var mark: LeewayMark?
  override var leewayMark: LeewayMark? {
    get { mark }
    set { mark = newValue }
  }
  override var isExact: Bool { false }
}
