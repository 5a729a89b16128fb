internal import Synchronization

final class TimerHandlerBox: HandlerBox, @unchecked Sendable {
  let run: @Sendable (TimerEvent) throws -> Void
  init(_ run: @escaping @Sendable (TimerEvent) throws -> Void) { self.run = run }
}

/// A timer source inside: a schedule, the armed timer that stands for its next beat, and the beats not yet delivered.
final class TimerSourceCore: SourceBase, @unchecked Sendable {
  // Sound as Sendable: `lock` guards the schedule, the beats, and which timer and group are current.
  private let clock: TimerClock
  private let lock = Lock()
  private var beats = 0
  private var interval: Nanoseconds?
  private var leeway: Nanoseconds = 0
  private var current: (timer: BeatTimer, group: TimerGroup)?
  /// What `schedule` asked for before the source was active.
  private var firstDeadline: Nanoseconds?

  init(dispatcher: DispatcherCore, queue: QueueCore, clock: TimerClock) {
    self.clock = clock
    super.init(dispatcher: dispatcher, queue: queue, label: "timer source on queue '\(queue.label)'")
  }

  func schedule(after delay: Duration, repeating interval: Duration?, leeway: Duration) {
    _ = dispatcher.enter(nil)
    let deadline = clock.deadline(after: delay)
    lock.withLock {
      self.interval = interval.map { max(1, $0.clampedNanoseconds) }
      firstDeadline = deadline
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
  private func place() {
    while !placeOnce() {}
  }

  /// - Returns: false if the target, or whether it wants a timer at all, was changed meanwhile: then once more.
  private func placeOnce() -> Bool {
    let now = SourceState(state.load(ordering: .sequentiallyConsistent))
    let wants = now.has(SourceState.active) && !now.has(SourceState.cancelled)
    // Kept until its timer is armed, and keeps it: a retarget may let go of it at any moment.
    let queue = target.current
    defer { withExtendedLifetime(queue) {} }
    let group = queue.extras.timers(clock)
    let (old, new) = lock.withLock { () -> ((timer: BeatTimer, group: TimerGroup)?, (BeatTimer, Nanoseconds)?) in
      let old = current
      guard wants, let deadline = firstDeadline else {
        if !wants { current = nil }
        return (wants ? nil : old, nil)
      }
      let timer = BeatTimer(source: self, leeway: leeway)
      current = (timer, group)
      return (old, (timer, deadline))
    }
    if let old { old.group.disarm(old.timer) }
    guard let (timer, deadline) = new else { return true }
    group.arm(timer, at: deadline, leeway: timer.leeway)
    // Overtaken meanwhile by another placement, which could not disarm what was not armed yet.
    let isCurrent = lock.withLock { current?.timer === timer }
    if !isCurrent { group.disarm(timer) }
    let after = SourceState(state.load(ordering: .sequentiallyConsistent))
    return target.current === queue && after.has(SourceState.cancelled) == now.has(SourceState.cancelled)
  }

  /// A beat is due. The group's lock is held.
  /// - Returns: the next beat.
  func beat(_ timer: BeatTimer, due now: Nanoseconds, _ worker: WorkerRef?) -> Nanoseconds? {
    let (isDue, next) = lock.withLock { () -> (Bool, Nanoseconds?) in
      guard current?.timer === timer, let deadline = firstDeadline else { return (false, nil) }
      // Scheduled for later meanwhile: the placement that follows arms the timer that stands for it.
      guard deadline <= now else { return (false, nil) }
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

  override func deliver(on worker: Worker) {
    let count = lock.withLock {
      defer { beats = 0 }
      return beats
    }
    // Rescheduled since the entry was made.
    guard count > 0, let box = eventHandler.current as? TimerHandlerBox else { return }
    do { try box.run(TimerEvent(beats: count)) } catch {
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
  private let allowed: Nanoseconds
  override var leeway: Nanoseconds { allowed }

  init(source: TimerSourceCore, leeway: Nanoseconds) {
    self.source = source
    allowed = leeway
  }

  override func fall(due now: Nanoseconds, _ worker: WorkerRef?) -> Nanoseconds? {
    source?.beat(self, due: now, worker)
  }

  override func drop() -> Bool { true }
}
