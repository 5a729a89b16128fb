/// A concurrent queue of one priority: its tasks run on any worker, many at once, in no promised order.
public final class GlobalQueue: Queue {
  init() { unimplemented() }

  public var label: String { unimplemented() }
  public var dispatcher: Dispatcher { unimplemented() }
  public var depth: Int { unimplemented() }
  public var isExecuting: Bool { unimplemented() }
  public var description: String { unimplemented() }
  /// The share of the workers that its tasks get (rule Q9).
  public var priority: Priority { unimplemented() }

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
}
