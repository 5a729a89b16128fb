/// When something has timers due: the earliest deadline, and the time by which one of them has to be told.
struct TimerPoint {
  var due: Nanoseconds
  /// Later than `due` only by leeway.
  var latest: Nanoseconds
}

/// A worker's timers on one clock: the queues that have any, by their earliest deadline. Under the worker's lease.
struct TimerHeap: ~Copyable {
  private var groups = LeewayHeap<TimerGroup>()
  /// Kept beside the heap, as every round asks: when the first is due, and when a sleep has to end.
  private(set) var earliest: TimerPoint?
  /// When something was due last.
  private var lastExpired: Nanoseconds = 0
  /// The least time between wake-ups that are for timers: where they are dense, one wake-up serves several.
  private static let spacing: Nanoseconds = 50_000

  /// How long the first has been due; nil if it is not.
  func lateness(at now: Nanoseconds) -> Nanoseconds? {
    guard let due = earliest?.due, due <= now else { return nil }
    return now - due
  }

  /// When a sleep has to end.
  var wakeTime: Nanoseconds? {
    earliest.map { max($0.latest, lastExpired &+ TimerHeap.spacing) }
  }

  /// Puts a group where it belongs; nil takes it out.
  mutating func place(_ group: TimerGroup, _ point: TimerPoint?) {
    switch (group.heapIndex >= 0, point) {
    case (false, let point?): groups.insert(group, .init(time: point.due, order: 0), latest: point.latest)
    case (true, let point?): groups.update(group, .init(time: point.due, order: 0), latest: point.latest)
    case (true, nil): groups.remove(group)
    case (false, nil): return
    }
    earliest = groups.earliest
  }

  /// Takes every group out; the worker is going.
  mutating func removeAll() {
    groups.removeAll { _ in }
    earliest = nil
  }

  /// Hands every timer that is due at `now`, which may be a moment ago, to its queue, each queue's in order. Those with
  /// leeway too: the worker is awake.
  mutating func expire(_ now: Nanoseconds, on worker: Worker) {
    while let (key, group) = groups.first, key.time <= now {
      lastExpired = now
      place(group, group.fire(until: now, WorkerRef(of: worker.dispatcher)))
    }
  }
}

/// A worker's timers on both clocks. Under the worker's lease.
struct WorkerTimers: ~Copyable {
  var continuous = TimerHeap()
  var suspending = TimerHeap()
}
