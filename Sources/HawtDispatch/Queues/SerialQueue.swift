/// A queue that runs one task at a time, in order (rules Q1, Q2), wherever its target lets it.
///
/// Its target is a global queue (any worker may run it: the proactor style), a thread queue (pinned: the reactor
/// style), or another serial queue (they share one order of execution).
public final class SerialQueue: Queue {
  /// What a running retarget came to.
  public enum RetargetOutcome: Sendable, Hashable {
    /// Everything after the task that was running runs at the new target, sources and timers included.
    case effective
    /// A later retarget of the same queue overtook this one.
    case superseded
  }

  init() { unimplemented() }

  public var label: String { unimplemented() }
  public var dispatcher: Dispatcher { unimplemented() }
  public var depth: Int { unimplemented() }
  public var isExecuting: Bool { unimplemented() }
  public var description: String { unimplemented() }

  /// Where its work goes: a global, thread or serial queue. A snapshot.
  public var target: any Queue { unimplemented() }

  /// The worker whose thread alone runs this queue, or nil if it is not pinned. A snapshot.
  public var pinnedWorker: Int? { unimplemented() }

  /// What the queue is doing. A snapshot, for metrics and tests.
  public var state: QueueState { unimplemented() }

  @discardableResult
  public func async(_ task: @escaping @Sendable () throws -> Void) -> Submission { unimplemented() }
  @discardableResult
  public func async(_ item: WorkItem) -> Submission { unimplemented() }
  @discardableResult
  public func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration,
    _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle { unimplemented() }
  public func sync<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { unimplemented() }
  public func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?) { unimplemented() }
  public func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? { unimplemented() }
  public func assertExecuting(file: StaticString, line: UInt) { unimplemented() }
  public func assertNotExecuting(file: StaticString, line: UInt) { unimplemented() }

  /// Gives the live queue another target, and with it everything nested in it: sources, timers, queues.
  ///
  /// Takes effect at the next task boundary: at most the task that is running finishes at the old target (rule M2).
  /// Legal from anywhere, the queue's own task, while suspended, and again while one is under way (rules M3, M7).
  ///
  /// - Parameter completion: called once on the new target, when the queue and what it carries have left the old
  ///   thread, or when a later retarget overtook this one.
  /// - Throws: `.targetCycle`, `.targetTooDeep`, `.foreignDispatcher`, `.stopped`; nothing is changed then.
  public func setTarget(
    _ target: any Queue, completion: (@Sendable (RetargetOutcome) -> Void)? = nil
  ) throws(DispatcherError) { unimplemented() }

  /// Holds the queue, and what is nested in it, from the next task on; nests (rule L1). The task that is running
  /// finishes. Submissions are still accepted and cost no wake-ups.
  public func suspend() { unimplemented() }

  /// Ends one `suspend()`. Traps, naming the queue, if there is none to end (rule L1).
  public func resume() { unimplemented() }
}

/// What a serial queue is doing.
public enum QueueState: Sendable, Hashable {
  case idle, scheduled, running
  case suspended(count: Int)
}

/// The bound of a serial queue (rule Q11).
public struct QueueLimit: Sendable {
  /// How many tasks may wait; a further user submission is refused. Timers and events are never refused.
  public var maximum: Int
  /// How few tasks must be left, after a refusal, for `onLowWater` to be called once.
  public var lowWater: Int
  /// Called on the queue, once after each spell of refusals.
  public var onLowWater: (@Sendable () -> Void)?

  /// - Precondition: `maximum ≥ 1`, `0 ≤ lowWater < maximum`.
  public init(maximum: Int, lowWater: Int? = nil, onLowWater: (@Sendable () -> Void)? = nil) {
    precondition(maximum >= 1, "QueueLimit: maximum is \(maximum); it must be at least 1")
    let low = lowWater ?? maximum / 2
    precondition(low >= 0 && low < maximum, "QueueLimit: lowWater is \(low); it must be from 0 to \(maximum - 1)")
    self.maximum = maximum
    self.lowWater = low
    self.onLowWater = onLowWater
  }
}
