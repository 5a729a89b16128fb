/// A fixed pool of workers, each with an IO loop, that run queues and sources.
///
/// It lives while anybody refers to it, to one of its queues, or to one of its sources. When the last reference goes
/// without a `shutdown`, it runs what it was given, stops and frees everything (rule L5).
public final class Dispatcher: Sendable, CustomStringConvertible {
  /// Starts the workers.
  ///
  /// - Throws: `.invalidWorkerCount`, `.invalidConfiguration`, `.systemRefused`, `.backend`; nothing is left behind.
  public init(configuration: Configuration = .init()) throws(DispatcherError) { unimplemented() }

  /// The process's default dispatcher, made at the first use; it traps with the reason if it cannot be made.
  public static var shared: Dispatcher { unimplemented() }

  public var name: String { unimplemented() }
  public var description: String { unimplemented() }
  /// Which backend its pollers are.
  public var backendIdentity: BackendIdentity { unimplemented() }
  /// The queue of each worker.
  public var threadQueues: [ThreadQueue] { unimplemented() }
  /// The concurrent queue of a priority.
  public func global(_ priority: Priority = .default) -> GlobalQueue { unimplemented() }

  /// The queue that is running the calling code, innermost; nil on foreign threads. Rule Q7.
  public static var currentQueue: (any Queue)? { unimplemented() }
  /// The thread queue of the calling worker; nil on foreign threads.
  public static var currentThreadQueue: ThreadQueue? { unimplemented() }
  /// The value for `key` of the nearest enclosing queue that has one, along the targets of the current queue.
  public static func currentSpecific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? { unimplemented() }

  /// A serial queue that any worker may run, on the global queue of default priority.
  public func makeSerialQueue(label: String = "", limit: QueueLimit? = nil) -> SerialQueue { unimplemented() }
  /// A serial queue with a target.
  ///
  /// - Throws: `.foreignDispatcher`, `.targetTooDeep`.
  public func makeSerialQueue(
    label: String = "", target: any Queue, limit: QueueLimit? = nil
  ) throws(DispatcherError) -> SerialQueue { unimplemented() }

  /// A source that tells `target` when `descriptor` can be read. Inactive: `activate()` it.
  ///
  /// - Precondition: `target` is a queue of this dispatcher (this holds for all sources).
  public func makeReadSource(
    _ descriptor: CInt, target: any Queue, handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource { unimplemented() }
  /// A source that tells `target` when `descriptor` can be written.
  public func makeWriteSource(
    _ descriptor: CInt, target: any Queue, handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource { unimplemented() }
  /// A source for any interest.
  public func makeReadinessSource(
    _ descriptor: CInt, interest: Interest, target: any Queue,
    handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource { unimplemented() }
  /// A timer that may repeat. Inactive, and not scheduled.
  public func makeTimerSource(
    target: any Queue, clock: TimerClock = .continuous, handler: (@Sendable (TimerEvent) throws -> Void)? = nil
  ) -> TimerSource { unimplemented() }
  /// A source that its owner feeds. Inactive; it may be fed before it is activated.
  public func makeMergingSource<Element: Sendable, Aggregate: Sendable>(
    _ aggregation: Aggregation<Element, Aggregate>, target: any Queue,
    handler: (@Sendable (Aggregate) throws -> Void)? = nil
  ) -> MergingSource<Element, Aggregate> { unimplemented() }
  /// A source for a signal to the process.
  public func makeSignalSource(
    _ signal: CInt, target: any Queue, handler: (@Sendable (_ count: Int) throws -> Void)? = nil
  ) -> SignalSource { unimplemented() }

  /// Runs `handler` once on `queue` when every one of `sources` has run its cancel handler: the place to close a
  /// descriptor that they share (rule S7). With none in the list, at once. It cancels nothing by itself.
  public func whenCancelled(
    _ sources: [ReadinessSource], on queue: any Queue, _ handler: @escaping @Sendable () throws -> Void
  ) { unimplemented() }

  /// What each worker has done.
  public var metrics: [WorkerMetrics] { unimplemented() }

  /// Stops the dispatcher: refuses new work from outside, drops timers, runs what was accepted, takes registrations
  /// out, ends the threads (rule L3). Legal from anywhere; returns at once. A second call joins the first.
  ///
  /// - Parameters:
  ///   - deadline: how long to run what was accepted; what is left then is discarded and reported.
  ///   - completion: called once, on a thread that is no worker.
  public func shutdown(
    deadline: Duration = .seconds(10), completion: @escaping @Sendable (ShutdownReport) -> Void = { _ in }
  ) { unimplemented() }
  /// The same, waiting for it. For foreign threads: it traps on a worker (rule Q12).
  @discardableResult
  public func shutdownAndWait(deadline: Duration = .seconds(10)) -> ShutdownReport { unimplemented() }
  /// The same, for tasks of Swift's concurrency.
  @discardableResult
  public func shutdown(deadline: Duration = .seconds(10)) async -> ShutdownReport { unimplemented() }
  /// Starts a stopped dispatcher again: queues, pinned ones and sources included, live on (rule L4).
  ///
  /// - Throws: `.running`, `.systemRefused`, `.backend`.
  public func restart() throws(DispatcherError) { unimplemented() }
}
