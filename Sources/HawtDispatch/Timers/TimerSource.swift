/// What a repeating timer tells its handler.
public struct TimerEvent: Sendable, Hashable {
  /// How many beats this delivery stands for: 1, and one more for each that was missed (rule T4).
  public let beats: Int
}

/// A timer that may repeat and be scheduled anew (rules T1, T4), with a source's life: inactive at creation,
/// `activate`, `suspend`, `resume`, `cancel`. Dropping the last reference cancels it.
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class TimerSource: Sendable {
  private let handle: Handle<TimerSourceCore>
  private var core: TimerSourceCore { handle.core }

  init(_ core: TimerSourceCore) {
    handle = Handle(core)
  }

  deinit {
    if !core.dispatcher.isForked { core.cancel() }
  }

  /// Sets what each delivery runs, on the target queue. Beats that fell due without a handler are delivered to it as one. No
  /// effect after `cancel()`.
  public func setEventHandler(_ handler: @escaping @Sendable (TimerEvent) throws -> Void) {
    core.set(core.eventHandler, TimerHandler(run: handler))
    core.handlerWasSet()
  }
  /// Sets what runs once after `cancel()`, on the target queue, after the last event handler. No effect after
  /// `cancel()`.
  public func setCancelHandler(_ handler: @escaping @Sendable () throws -> Void) {
    core.set(core.cancelHandler, CancelHandler(run: handler))
  }

  /// Sets the first beat and the interval; replaces what was set before, at once (rule T4). O(log n) in the
  /// worker's armed queues and the queue's timers.
  ///
  /// - Parameters:
  ///   - delay: from now to the first beat; zero or negative: due at once.
  ///   - interval: between beats, more than zero (it traps otherwise); nil for a single one. Beats keep their phase.
  ///   - leeway: how much later than due a delivery may be.
  public func schedule(after delay: Duration, repeating interval: Duration? = nil, leeway: Duration = .zero) {
    core.schedule(after: delay, repeating: interval, leeway: leeway)
  }

  /// Starts it; a second call has no effect. Throws `.cancelled` or `.stopped`.
  public func activate() throws(SourceError) { try core.activate() }
  /// Holds deliveries; nests. Beats that fall due meanwhile are counted and delivered as one on `resume()`.
  public func suspend() { core.suspend() }
  /// Ends one `suspend()`; traps if there is none.
  public func resume() { core.resume() }
  /// No handler starts after it. Idempotent, never blocks, any thread.
  public func cancel() { core.cancel() }
  /// Whether `cancel()` was called.
  public var isCancelled: Bool { core.isCancelled }
  /// Gives it another queue, live. Throws as `SerialQueue.setTarget` does; for its completion see
  /// `ReadinessSource.setTarget`. O(workers + depth of the target).
  public func setTarget(
    _ target: any Queue, completion: (@Sendable (SerialQueue.RetargetOutcome) -> Void)? = nil
  ) throws(DispatcherError) { try core.setTarget(target, completion: completion) }
}
