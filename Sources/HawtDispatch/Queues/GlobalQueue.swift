/// A concurrent queue of one priority: its tasks run on any worker, many at once, in no promised order.
public final class GlobalQueue: Queue {
  let core: GlobalCore
  private let user: UserReference

  init(_ core: GlobalCore) {
    self.core = core
    user = UserReference(core.dispatcher)
  }

  public var label: String { core.label }
  public var dispatcher: Dispatcher { Dispatcher(core.dispatcher) }
  public var depth: Int { core.depth }
  public var isExecuting: Bool { core.isExecuting }
  public var description: String { "GlobalQueue('\(label)')" }
  /// The share of the workers that its tasks get (rule Q9).
  public var priority: Priority { core.priority }

  @discardableResult
  public func async(_ task: @escaping @Sendable () throws -> Void) -> Submission {
    core.submit(Entry(Job(run: task)))
  }

  @discardableResult
  public func async(_ item: WorkItem) -> Submission { QueueFunctions.post(item, to: core) }

  @discardableResult
  public func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration,
    _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle { QueueFunctions.arm(core, delay, clock, leeway, task) }

  public func sync<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value {
    try QueueFunctions.sync(core, body)
  }

  public func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?) {
    core.extras.setSpecific(key, value)
  }

  public func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? { core.existingExtras?.specific(key) }

  public func assertExecuting(file: StaticString, line: UInt) { QueueFunctions.assertExecuting(core, file, line) }

  public func assertNotExecuting(file: StaticString, line: UInt) {
    QueueFunctions.assertNotExecuting(core, file, line)
  }
}

extension GlobalQueue: Hashable {
  /// Whether both refer to the same queue.
  public static func == (left: GlobalQueue, right: GlobalQueue) -> Bool { left.core === right.core }
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(core)) }
}
