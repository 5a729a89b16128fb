/// What all queues offer: tasks go in from any thread, and run later on a worker of the queue's dispatcher.
///
/// A value of a queue type is a *reference* to a queue; several may stand for one queue, and `==` says whether
/// two do. Conform no type of your own: a target that is none of this library's queues is refused.
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public protocol Queue: AnyObject, Sendable, CustomStringConvertible {
  /// The text given at creation. Thread names and errors carry it.
  var label: String { get }
  /// The dispatcher whose workers run this queue.
  var dispatcher: Dispatcher { get }
  /// How many tasks wait, the running one not counted. A snapshot; O(1), of a global queue O(workers). Rule Q11.
  var depth: Int { get }
  /// Whether this queue, or one that runs nested in it, is running the calling code; O(queues that run nested on the
  /// thread), innermost first. Rule Q7.
  var isExecuting: Bool { get }

  /// Submits a task. Never runs it inline and never blocks on user code (rule Q3); any thread; O(1).
  ///
  /// - Returns: whether the task was accepted. On a serial or thread queue, tasks run in the order in which the
  ///   calls that submitted them returned (rule Q1).
  @discardableResult
  func async(_ task: consuming @escaping @Sendable () throws -> Void) -> Submission

  /// Submits a reusable task without allocating. Any thread; O(1).
  @discardableResult
  func async(_ item: WorkItem) -> Submission

  /// Submits a task once `delay` has passed on `clock`: never early (rule T1). Zero and negative delays are due at
  /// once. A task that throws or blocks takes no other timer with it (rule T5). Any thread; O(log n) in the queue's
  /// armed timers.
  ///
  /// - Parameters:
  ///   - delay: from now; up to 2^63 nanoseconds, more is cut to that.
  ///   - clock: what the delay is measured on (rule T2).
  ///   - leeway: how much later than due the task may be, so that wake-ups can be shared. Without any, a sleeping worker
  ///     is woken at the due time, but no sooner than 50 µs after the last timer.
  ///   - task: runs on the queue.
  /// - Returns: a handle whose `cancel()` says whether the task will never start (rule T3), and whether the timer
  ///   was accepted at all.
  @discardableResult
  func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration,
    _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle

  /// Runs `body` on the queue and waits for its value or error. For foreign threads only: on a worker of any
  /// dispatcher it traps and names the queues (rule Q12).
  ///
  /// - Throws: what `body` throws, or `DispatcherError.refused` / `.discarded`.
  func sync<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value

  /// Keeps `value` with the queue under `key`; nil removes it. Any thread.
  func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?)

  /// The value kept with this very queue under `key`, its targets not asked.
  func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value?

  /// Traps, naming both queues, unless this queue is executing the calling code. Always on; allocates nothing when
  /// it holds; costs what `isExecuting` does. Rule Q7.
  func assertExecuting(file: StaticString, line: UInt)

  /// Traps, naming the queue, if this queue is executing the calling code. Always on; costs what `isExecuting` does.
  /// Rule Q7.
  func assertNotExecuting(file: StaticString, line: UInt)
}

extension Queue {
  /// `asyncAfter` on the continuous clock, without leeway.
  @discardableResult
  public func asyncAfter(
    _ delay: Duration, _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle {
    asyncAfter(delay, clock: .continuous, leeway: .zero, task)
  }

  /// The control block of one of the library's own queues; nil for any other type.
  var controlBlock: QueueCore? {
    switch self {
    case let queue as SerialQueue: queue.core
    case let queue as ThreadQueue: queue.core
    case let queue as GlobalQueue: queue.core
    default: nil
    }
  }

  /// Whether both refer to the same queue.
  public func isSame(as other: any Queue) -> Bool { controlBlock != nil && controlBlock === other.controlBlock }

  /// `assertExecuting` at the caller's line.
  public func assertExecuting(_ file: StaticString = #fileID, _ line: UInt = #line) {
    assertExecuting(file: file, line: line)
  }

  /// `assertNotExecuting` at the caller's line.
  public func assertNotExecuting(_ file: StaticString = #fileID, _ line: UInt = #line) {
    assertNotExecuting(file: file, line: line)
  }
}

/// Names a value that queues keep (see `Queue.setSpecific`). Two keys are never the same, whatever their type.
public final class QueueKey<Value: Sendable>: Sendable {
  /// A new key, unlike any other.
  public init() {}
}

/// The share of saturated workers that a global queue's work gets: about 8 : 4 : 1 (rule Q9). A queue's work has the
/// priority of its root. There is no hidden boost: what waits for low-priority work waits as long as that takes.
public enum Priority: Int, Sendable, Hashable, CaseIterable {
  case high = 0
  case `default` = 1
  case low = 2
}
