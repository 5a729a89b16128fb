/// A queue that runs one task at a time, in order (rules Q1, Q2), wherever its target lets it.
///
/// Its target is a global queue (any worker may run it: the proactor style), a thread queue (pinned: the reactor
/// style), or another serial queue (they share one order of execution).
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class SerialQueue: Queue {
  /// What a running retarget came to.
  public enum RetargetOutcome: Sendable, Hashable {
    /// Everything after the task that was running runs at the new target, sources and timers included.
    case effective
    /// A later retarget of the same queue overtook this one.
    case superseded
  }

  private let handle: Handle<SerialCore>
  var core: SerialCore { handle.core }

  init(_ core: SerialCore) {
    handle = Handle(core)
    core.addHandle()
  }

  deinit {
    if !core.dispatcher.isForked { core.dropHandle() }
  }

  /// The text given at creation.
  public var label: String { core.label }
  /// The dispatcher whose workers run it.
  public var dispatcher: Dispatcher { Dispatcher(core.dispatcher) }
  /// How many tasks wait (rule Q11). A snapshot; O(1).
  public var depth: Int { core.depth }
  /// Whether the calling code runs on it, or nested in it (rule Q7).
  public var isExecuting: Bool { handle.use { $0.isExecuting } }
  /// The kind and the label, for people.
  public var description: String { "SerialQueue('\(label)')" }

  /// Where its work goes: a global, thread or serial queue. A snapshot.
  public var target: any Queue { core.target.current.makeHandle() }

  /// The worker whose thread alone runs this queue, or nil if it is not pinned. A snapshot; O(depth).
  public var pinnedWorker: Int? {
    _ = core.enter()
    return core.dispatcher.topology.pinnedWorker(of: core)
  }

  /// What the queue is doing. A snapshot, for metrics and tests.
  public var state: QueueState { core.snapshot }

  /// Submits a task; see `Queue`. Any thread; O(1) (rules Q1, Q3).
  @discardableResult
  public func async(_ task: consuming @escaping @Sendable () throws -> Void) -> Submission {
    submit(Entry(Job(run: task)))
  }

  /// Submits a reusable task without allocating. Any thread; O(1).
  @discardableResult
  public func async(_ item: WorkItem) -> Submission { handle.use { $0.submit(item) } }

  @inline(__always)
  private func submit(_ entry: Entry) -> Submission { handle.use { $0.submit(entry) } }

  /// Submits a task once `delay` has passed, never early; see `Queue` (rules T1, T3).
  @discardableResult
  public func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration,
    _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle { handle.use { QueueFunctions.arm($0, delay, clock, leeway, task) } }

  /// Runs `body` on the queue and waits for it. For foreign threads; traps on a worker (rule Q12).
  public func sync<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value {
    try QueueFunctions.sync(core, body)
  }

  /// Keeps `value` with the queue under `key`; nil removes it. Any thread.
  public func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?) {
    _ = core.enter()
    core.extras.setSpecific(key, value)
  }

  /// The value kept with this very queue under `key`.
  public func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? {
    _ = core.enter()
    return core.existingExtras?.specific(key)
  }

  /// Traps, naming both queues, unless the calling code runs on it (rule Q7).
  public func assertExecuting(file: StaticString, line: UInt) {
    handle.use { QueueFunctions.assertExecuting($0, file, line) }
  }

  /// Traps, naming the queue, if the calling code runs on it (rule Q7).
  public func assertNotExecuting(file: StaticString, line: UInt) {
    handle.use { QueueFunctions.assertNotExecuting($0, file, line) }
  }

  /// Gives the live queue another target, and with it everything nested in it: sources, timers, queues.
  ///
  /// Takes effect at the next task boundary: at most the task that is running finishes at the old target (rule M2).
  /// Legal from anywhere, the queue's own task, while suspended, and again while one is under way (rules M3, M7). O(what
  /// is nested in it: queues and sources); never waits for user code.
  ///
  /// - Parameters:
  ///   - target: a queue of the same dispatcher, not in this queue's own tree.
  ///   - completion: called once on the new target, when the queue and what it carries have left the old
  ///   thread, or when a later retarget overtook this one.
  /// - Throws: `.targetCycle`, `.targetTooDeep`, `.foreignDispatcher`, `.stopped`; nothing is changed then.
  public func setTarget(
    _ target: any Queue, completion: (@Sendable (RetargetOutcome) -> Void)? = nil
  ) throws(DispatcherError) {
    let worker = core.dispatcher.enter(core.title)
    guard let new = target.controlBlock else { throw .foreignDispatcher(queue: label, target: target.label) }
    guard new.dispatcher === core.dispatcher else {
      throw .foreignDispatcher(queue: label, target: target.label)
    }
    let owed = completion.map { RetargetCompletion(target: new, handler: $0) }
    try core.dispatcher.topology.retarget(core, to: new, completion: owed, worker: worker)
  }

  /// Holds the queue, and what is nested in it, from the next task on; nests (rule L1). The task that is running
  /// finishes. Submissions are still accepted and cost no wake-ups. Traps, naming the queue, if 16,383 are open.
  public func suspend() { core.suspend() }

  /// Ends one `suspend()`. Traps, naming the queue, if there is none to end (rule L1).
  public func resume() { core.resume() }
}

extension SerialQueue: Hashable {
  /// Whether both refer to the same queue.
  public static func == (left: SerialQueue, right: SerialQueue) -> Bool { left.core === right.core }
  /// Equal references hash alike.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(core)) }
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
    trap(unless: maximum >= 1, "QueueLimit: maximum is \(maximum); it must be at least 1")
    let low = lowWater ?? maximum / 2
    trap(unless: low >= 0 && low < maximum, "QueueLimit: lowWater is \(low); it must be from 0 to \(maximum - 1)")
    self.maximum = maximum
    self.lowWater = low
    self.onLowWater = onLowWater
  }
}
