/// A concurrent queue of one priority: its tasks run on any worker, many at once, in no promised order.
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class GlobalQueue: Queue {
  let core: GlobalCore
  private let user: UserReference

  init(_ core: GlobalCore) {
    self.core = core
    user = UserReference(core.dispatcher)
  }

  /// The text given at creation.
  public var label: String { core.label }
  /// The dispatcher whose workers run it.
  public var dispatcher: Dispatcher { Dispatcher(core.dispatcher) }
  /// How many tasks wait, and how many serial queues that wait to be run, each counted once (rule Q11). A snapshot;
  /// O(workers).
  public var depth: Int { core.depth }
  /// Whether the calling code runs on it, or nested in it (rule Q7).
  public var isExecuting: Bool { core.isExecuting }
  /// The kind and the label, for people.
  public var description: String { "GlobalQueue('\(label)')" }
  /// The share of the workers that its tasks get (rule Q9).
  public var priority: Priority { core.priority }

  /// Submits a task; see `Queue`. Any thread; O(1) (rules Q1, Q3).
  @discardableResult
  public func async(_ task: consuming @escaping @Sendable () throws -> Void) -> Submission {
    core.submit(Entry(Job(run: task)))
  }

  /// Submits a reusable task without allocating. Any thread; O(1).
  @discardableResult
  public func async(_ item: WorkItem) -> Submission { core.submit(item.makeEntry()) }

  /// Submits a task once `delay` has passed, never early; see `Queue` (rules T1, T3).
  @discardableResult
  public func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration,
    _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle { QueueFunctions.arm(core, delay, clock, leeway, task) }

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
  public func assertExecuting(file: StaticString, line: UInt) { QueueFunctions.assertExecuting(core, file, line) }

  /// Traps, naming the queue, if the calling code runs on it (rule Q7).
  public func assertNotExecuting(file: StaticString, line: UInt) {
    QueueFunctions.assertNotExecuting(core, file, line)
  }
}

extension GlobalQueue: Hashable {
  /// Whether both refer to the same queue.
  public static func == (left: GlobalQueue, right: GlobalQueue) -> Bool { left.core === right.core }
  /// Equal references hash alike.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(core)) }
}
