internal import Synchronization

/// A fixed pool of workers, each with an IO loop, that run queues and sources.
///
/// It lives while anybody refers to it, to one of its queues, or to one of its sources. When the last reference goes
/// without a `shutdown`, it runs what it was given, stops and frees everything (rule L5). Timers that are armed then are
/// dropped, and the error handler is told how many.
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class Dispatcher: Sendable, CustomStringConvertible {
  let core: DispatcherCore
  private let user: UserReference

  /// Starts the workers: a thread and a poller for each, O(workers). Does not wait for them to run.
  ///
  /// - Throws: `.invalidWorkerCount`, `.invalidConfiguration`, `.systemRefused`, `.backend`; nothing is left behind.
  public init(configuration: Configuration = .init()) throws(DispatcherError) {
    core = try DispatcherCore(configuration)
    user = UserReference(core)
  }

  init(_ core: DispatcherCore) {
    self.core = core
    user = UserReference(core)
  }

  /// The process's default dispatcher, made at the first use; it traps with the reason if it cannot be made.
  public static let shared: Dispatcher = {
    do { return try Dispatcher(configuration: Configuration(name: "shared")) } catch {
      fatalError("Dispatcher.shared could not be made: \(error)")
    }
  }()

  /// The name given in the configuration.
  public var name: String { core.name }
  /// The kind and the label, for people.
  public var description: String {
    "Dispatcher('\(name)', \(core.workers.count) workers, \(backendIdentity))"
  }
  /// Which backend its pollers are.
  public var backendIdentity: BackendIdentity { core.settings.backend.identity }
  /// The queue of each worker, by its number. O(workers).
  public var threadQueues: [ThreadQueue] { core.threads.map { ThreadQueue($0) } }
  /// The concurrent queue of a priority.
  public func global(_ priority: Priority = .default) -> GlobalQueue {
    GlobalQueue(core.globals[priority.rawValue])
  }

  /// The queue that is running the calling code, innermost; nil on foreign threads. Rule Q7.
  public static var currentQueue: (any Queue)? { Worker.current?.currentQueue?.makeHandle() }
  /// The thread queue of the calling worker; nil on foreign threads.
  public static var currentThreadQueue: ThreadQueue? { Worker.current.map { ThreadQueue($0.thread) } }
  /// The value for `key` of the nearest enclosing queue that has one, along the targets of the current queue; nil on
  /// foreign threads. O(depth of the queue).
  public static func currentSpecific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? {
    var queue = Worker.current?.currentQueue
    while let at = queue {
      if let value = at.existingExtras?.specific(key) { return value }
      queue = (at as? SerialCore)?.target.current
    }
    return nil
  }

  /// A serial queue that any worker may run, on the global queue of default priority.
  public func makeSerialQueue(label: String = "", limit: QueueLimit? = nil) -> SerialQueue {
    let global = core.globals[Priority.default.rawValue]
    // Directly below a root no chain is too deep.
    do { return try core.makeSerialQueue(label, global, limit) } catch { fatalError("unreachable: \(error)") }
  }
  /// A serial queue with a target. O(depth of the target).
  ///
  /// - Throws: `.foreignDispatcher`, `.targetTooDeep`.
  public func makeSerialQueue(
    label: String = "", target: any Queue, limit: QueueLimit? = nil
  ) throws(DispatcherError) -> SerialQueue {
    guard let below = target.controlBlock, below.dispatcher === core else {
      throw .foreignDispatcher(queue: label, target: target.label)
    }
    return try core.makeSerialQueue(label, below, limit)
  }

  /// A source that tells `target` when `descriptor` can be read. Inactive: `activate()` it. It gets its home worker now
  /// (rule M9); like for all sources, that is O(workers + depth of the target).
  ///
  /// - Precondition: `target` is a queue of this dispatcher (this holds for all sources).
  public func makeReadSource(
    _ descriptor: CInt, target: any Queue, handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource {
    makeReadinessSource(descriptor, interest: .read, target: target, handler: handler)
  }
  /// A source that tells `target` when `descriptor` can be written.
  public func makeWriteSource(
    _ descriptor: CInt, target: any Queue, handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource {
    makeReadinessSource(descriptor, interest: .write, target: target, handler: handler)
  }
  /// A source for any interest.
  public func makeReadinessSource(
    _ descriptor: CInt, interest: Interest, target: any Queue,
    handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource {
    let source = ReadinessSource(
      ReadinessCore(dispatcher: core, queue: coreOf(target), descriptor: descriptor, interest: interest))
    if let handler { source.setEventHandler(handler) }
    return source
  }
  /// A timer that may repeat. Inactive, and not scheduled.
  public func makeTimerSource(
    target: any Queue, clock: TimerClock = .continuous, handler: (@Sendable (TimerEvent) throws -> Void)? = nil
  ) -> TimerSource {
    let source = TimerSource(TimerSourceCore(dispatcher: core, queue: coreOf(target), clock: clock))
    if let handler { source.setEventHandler(handler) }
    return source
  }
  /// A source that its owner feeds. Inactive; it may be fed before it is activated.
  public func makeMergingSource<Element: Sendable, Aggregate: Sendable>(
    _ aggregation: Aggregation<Element, Aggregate>, target: any Queue,
    handler: (@Sendable (Aggregate) throws -> Void)? = nil
  ) -> MergingSource<Element, Aggregate> {
    let source = MergingSource(MergingCore(dispatcher: core, queue: coreOf(target), aggregation))
    if let handler { source.setEventHandler(handler) }
    return source
  }
  /// A source for a signal to the process.
  public func makeSignalSource(
    _ signal: CInt, target: any Queue, handler: (@Sendable (_ count: Int) throws -> Void)? = nil
  ) -> SignalSource {
    let source = SignalSource(signal, dispatcher: core, target: coreOf(target))
    if let handler { source.setEventHandler(handler) }
    return source
  }

  private func coreOf(_ queue: any Queue) -> QueueCore {
    _ = core.enter()
    guard let target = queue.controlBlock else {
      fatalError(
        "dispatcher '\(name)': queue '\(queue.label)' is none of the library's; target one of this dispatcher's")
    }
    return target
  }

  /// Runs `handler` once on `queue` when every one of `sources` has run its cancel handler: the place to close a
  /// descriptor that they share (rule S7). With none in the list, at once. It cancels nothing by itself. O(sources).
  ///
  /// If a shutdown comes between, it runs after a restart, as cancel handlers do (rule L4).
  ///
  /// - Precondition: the queue and the sources are this dispatcher's.
  public func whenCancelled(
    _ sources: [ReadinessSource], on queue: any Queue, _ handler: @escaping @Sendable () throws -> Void
  ) {
    let target = coreOf(queue)
    trap(
      unless: target.dispatcher === core,
      "dispatcher '\(name)': a joint handler cannot run on queue '\(queue.label)' of dispatcher "
        + "'\(target.dispatcher.name)'; choose one of its own queues")
    for source in sources where source.core.dispatcher !== core {
      fatalError(
        "dispatcher '\(name)': a joint handler cannot wait for the \(source.core.label) of dispatcher "
          + "'\(source.core.dispatcher.name)'; ask that one")
    }
    let join = JoinedCancel(sources.count) { target.owe(handler) }
    for source in sources { source.core.afterCancel.add { join.countDown() } }
  }

  /// What each worker has done. O(workers).
  public var metrics: [WorkerMetrics] { core.workers.map { $0.metrics } }

  /// Stops the dispatcher: refuses new work from outside, drops timers, runs what was accepted, takes registrations
  /// out, ends the threads (rule L3). Legal from anywhere; never waits for user code. A second call joins the first. Visits
  /// every queue on the calling thread, and every source and timer on one of its own.
  ///
  /// - Parameters:
  ///   - deadline: how long to run what was accepted; what is left then is discarded and reported.
  ///   - completion: called once, on a thread that is no worker.
  public func shutdown(
    deadline: Duration = .seconds(10), completion: @escaping @Sendable (ShutdownReport) -> Void = { _ in }
  ) {
    _ = core.enter()
    core.shutdown.begin(core, deadline: deadline, completion: completion)
  }
  /// The same, waiting for it. For foreign threads: it traps on a worker (rule Q12).
  @discardableResult
  public func shutdownAndWait(deadline: Duration = .seconds(10)) -> ShutdownReport {
    if let worker = Worker.current {
      fatalError(
        "shutdownAndWait of dispatcher '\(name)' was called on a worker, in queue '\(worker.currentQueue?.label ?? "")': "
          + "it would wait for itself; use shutdown(deadline:completion:)")
    }
    let waiter = Waiter()
    let result = ReportBox()
    shutdown(deadline: deadline) {
      result.report = $0
      waiter.signal()
    }
    waiter.wait()
    return result.report!
  }
  /// The same, for tasks of Swift's concurrency.
  @discardableResult
  public func shutdown(deadline: Duration = .seconds(10)) async -> ShutdownReport {
    await withCheckedContinuation { continuation in
      shutdown(deadline: deadline) { continuation.resume(returning: $0) }
    }
  }
  /// Starts a stopped dispatcher again: queues, pinned ones and sources included, live on (rule L4). O(queues + sources).
  ///
  /// - Throws: `.running`, `.systemRefused`, `.backend`.
  public func restart() throws(DispatcherError) {
    _ = core.enter()
    try core.shutdown.restart(core)
  }
}

extension Dispatcher: Hashable {
  /// Whether both refer to the same dispatcher.
  public static func == (left: Dispatcher, right: Dispatcher) -> Bool { left.core === right.core }
  /// Equal references hash alike.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(core)) }
}

/// Carries a report from the completion to who waits; the waiter's lock orders the two.
private final class ReportBox: @unchecked Sendable {
  // Sound as Sendable: written before the waiter is signalled, read after.
  var report: ShutdownReport?
}

/// Counts cancel handlers down for `whenCancelled`.
private final class JoinedCancel: Sendable {
  private let left: Atomic<Int>
  private let handler: @Sendable () -> Void

  /// With nothing to wait for, the handler is called at once.
  init(_ count: Int, _ handler: @escaping @Sendable () -> Void) {
    left = Atomic(max(1, count))
    self.handler = handler
    if count == 0 { countDown() }
  }

  func countDown() {
    // Releases what each cancel handler did to the joint one.
    if left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { handler() }
  }
}
