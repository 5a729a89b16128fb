internal import Synchronization

struct TimerHandler: Handler, ~Copyable {
  let run: @Sendable (TimerEvent) throws -> Void
  @inline(__always)
  consuming func call(_ event: TimerEvent) throws { try run(event) }
}

/// A timer source inside: a schedule, the armed timer that stands for its next beat, and the beats not yet delivered.
final class TimerSourceCore: SourceBase, @unchecked Sendable {
  // Sound as Sendable: `lock` guards the schedule, the beats, and which timer and group are current.
  private let clock: TimerClock
  private let lock = Lock()
  private var beats = 0
  private var interval: Nanoseconds?
  private var leeway: Nanoseconds = 0
  private typealias Placement = (timer: BeatTimer, group: TimerGroup)
  private typealias Arming = (timer: BeatTimer, at: Nanoseconds, leeway: Nanoseconds, schedule: UInt)
  private var current: Placement?
  /// What `schedule` asked for before the source was active.
  private var firstDeadline: Nanoseconds?
  /// Counts the calls of `schedule`.
  private var schedules: UInt = 0

  init(dispatcher: DispatcherCore, queue: QueueCore, clock: TimerClock) {
    self.clock = clock
    super.init(dispatcher: dispatcher, queue: queue)
  }

  override var label: String { "timer source on queue '\(target.current.label)'" }
  override var title: String { "a timer source" }

  func schedule(after delay: Duration, repeating interval: Duration?, leeway: Duration) {
    _ = dispatcher.enter(title)
    trap(unless: interval.map { $0 > .zero } ?? true, "\(label): scheduled with an interval that is not more than zero")
    let deadline = clock.deadline(after: delay)
    lock.withLock {
      self.interval = interval?.clampedNanoseconds
      firstDeadline = deadline
      schedules &+= 1
      self.leeway = leeway.clampedNanoseconds
      // What an earlier schedule had due and not delivered goes with it: the change takes effect at once (rule T4).
      beats = 0
    }
    place()
  }

  func activate() throws(SourceError) {
    guard dispatcher.isRunning else { throw .stopped(dispatcher: dispatcher.name) }
    if try activateOnce() { place() }
  }

  /// Brings the armed timer into line with the schedule and the target. Any thread.
  ///
  /// Placements race, and the last to arm may have read an older schedule. So each looks once more after it has armed,
  /// and goes on until what it armed is what is asked for. A beat between the two looks does no harm: it only moves the
  /// deadline on, and a timer that falls too early is armed again.
  private func place() {
    while !placeOnce() {}
  }

  /// - Returns: false if the schedule, the target, or whether a timer is wanted at all, was changed meanwhile: once more.
  private func placeOnce() -> Bool {
    let now = SourceState(state.load(ordering: .sequentiallyConsistent))
    let wants = now.has(SourceState.active) && !now.has(SourceState.cancelled)
    // Kept until its timer is armed, and keeps it: a retarget may let go of it at any moment.
    let queue = target.current
    defer { withExtendedLifetime(queue) {} }
    let group = queue.timers(clock)
    let (old, new) = lock.withLock { () -> (Placement?, Arming?) in
      let old = current
      guard wants, let deadline = firstDeadline else {
        if !wants { current = nil }
        return (wants ? nil : old, nil)
      }
      // The same timer is armed anew as long as it stands in the same group.
      if let old, old.group === group { return (nil, (old.timer, deadline, leeway, schedules)) }
      let timer = BeatTimer(source: self)
      current = (timer, group)
      return (old, (timer, deadline, leeway, schedules))
    }
    if let old { old.group.disarm(old.timer) }
    guard let new else { return true }
    group.arm(new.timer, at: new.at, leeway: new.leeway)
    let (isCurrent, isUpToDate) = lock.withLock {
      (current?.timer === new.timer, schedules == new.schedule)
    }
    // Overtaken meanwhile by a placement elsewhere, which could not disarm what was not armed yet.
    if !isCurrent { group.disarm(new.timer) }
    let after = SourceState(state.load(ordering: .sequentiallyConsistent))
    return (isUpToDate || !isCurrent) && target.current === queue
      && after.has(SourceState.cancelled) == now.has(SourceState.cancelled)
  }

  /// A beat is due. The group's lock is held.
  /// - Returns: the next beat.
  func beat(_ timer: BeatTimer, due now: Nanoseconds, _ worker: WorkerRef?) -> Nanoseconds? {
    let (isDue, next) = lock.withLock { () -> (Bool, Nanoseconds?) in
      guard current?.timer === timer, let deadline = firstDeadline else { return (false, nil) }
      // Scheduled for later meanwhile.
      guard deadline <= now else { return (false, deadline) }
      guard let interval else {
        beats += 1
        firstDeadline = nil
        return (true, nil)
      }
      // Missed beats are merged; the phase stays.
      let passed = (now - deadline) / interval + 1
      beats += Int(clamping: passed)
      let next = deadline &+ passed &* interval
      firstDeadline = next
      return (true, next)
    }
    if isDue { signal(worker) }
    return next
  }

  /// A handler was set: the beats that fell due before there was one are delivered now.
  func handlerWasSet() {
    if lock.withLock({ beats > 0 }) { signal(WorkerRef(of: dispatcher)) }
  }

  override func deliver(on worker: Worker) {
    // Beats wait for a handler as they wait for a resume; setting it signals them.
    guard let handler = eventHandler.current(TimerHandler.self) else { return }
    let count = lock.withLock {
      defer { beats = 0 }
      return beats
    }
    // Rescheduled since the entry was made.
    guard count > 0 else { return }
    do { try handler.call(TimerEvent(beats: count)) } catch {
      dispatcher.report(error, .eventHandler, on: worker.currentQueue)
    }
  }

  override func desiredChanged() { place() }

  /// The next beat stands in the group of the queue it targets, so that it comes in that queue's order (rule T1).
  override func targetChanged() { place() }

  override func restarted() { place() }
}

/// The next beat of a timer source.
final class BeatTimer: ArmedTimer {
  private weak var source: TimerSourceCore?
  private var allowed: Nanoseconds = 0
  private var mark: LeewayMark?
  override var leewayMark: LeewayMark? {
    get { mark }
    set { mark = newValue }
  }
  override var isExact: Bool { false }
  override var leeway: Nanoseconds {
    get { allowed }
    set { allowed = newValue }
  }

  init(source: TimerSourceCore) { self.source = source }

  override func fall(due now: Nanoseconds, _ worker: WorkerRef?) -> Fallen {
    source?.beat(self, due: now, worker).map(Fallen.again) ?? .over
  }

  override func drop() -> Bool { true }
}
