internal import Synchronization

/// What a readiness handler is told. Valid during the handler.
public struct ReadinessEvent: Sendable {
  /// The directions that are ready, of those asked for. Errors and hang-ups show as readiness (rule S5): the system
  /// call that follows tells them.
  public let readiness: Interest
  /// The descriptor that is ready.
  public let descriptor: CInt

  /// The source is alive while its handler runs.
  unowned(unsafe) private let source: ReadinessCore

  init(_ source: ReadinessCore, _ readiness: Interest) {
    self.source = source
    self.readiness = readiness
    descriptor = source.descriptor
  }

  /// Whether reading will not block.
  public var isReadable: Bool { readiness.contains(.read) }
  /// Whether writing will not block.
  public var isWritable: Bool { readiness.contains(.write) }

  /// Cancels the source (see `ReadinessSource.cancel()`).
  public func cancel() { source.cancel() }
  /// Suspends the source (see `ReadinessSource.suspend()`).
  public func suspend() { source.suspend() }
}

/// Tells a queue when a descriptor can be read or written without blocking.
///
/// Level-triggered: what the handler leaves undrained fires again, what it drained does not (rule S1). At most one
/// handler of a source is in flight (rule S2). Any number of sources may share a descriptor (rule S4). A descriptor
/// may be closed once the cancel handler of its last source has run (rule S7; see
/// `Dispatcher.whenCancelled(_:on:_:)`). Dropping the last reference cancels the source,
/// in whatever state it is (rule L2).
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class ReadinessSource: Sendable, CustomStringConvertible {
  private let handle: Handle<ReadinessCore>
  var core: ReadinessCore { handle.core }

  init(_ core: ReadinessCore) {
    handle = Handle(core)
  }

  deinit {
    if !core.dispatcher.isForked { core.cancel() }
  }

  /// The descriptor, as given at creation.
  public var descriptor: CInt { core.descriptor }
  /// What was asked for.
  public var interest: Interest { core.interest }
  /// The kind and the label, for people.
  public var description: String { "ReadinessSource(\(core.label))" }
  /// The worker in whose poller the source is registered now, or nil. A snapshot, for tests (rule M5).
  public var registeredWorker: Int? {
    let worker = core.registeredOn.current
    return worker >= 0 ? worker : nil
  }
  /// How many times the event handler has run.
  public var deliveries: Int { core.deliveries.load(ordering: .acquiring) }
  /// Whether it is cancelled, by `cancel()` or by an error.
  public var isCancelled: Bool { core.isCancelled }

  /// Sets what runs on the target queue when the descriptor is ready; what is ready before there is a handler waits for
  /// it. No effect after `cancel()`.
  public func setEventHandler(_ handler: @escaping @Sendable (ReadinessEvent) throws -> Void) {
    core.set(core.eventHandler, ReadinessHandler(run: handler))
    core.eventHandlerWasSet()
  }
  /// Sets what runs once on the target queue after `cancel()`, after the last event handler and after the
  /// registration is out of every poller (rule S7). If the dispatcher is stopped, that is after its restart; it does not run
  /// if a stopped dispatcher is let go of, so what must be closed even then belongs to an object that it captures. No
  /// effect after `cancel()`.
  public func setCancelHandler(_ handler: @escaping @Sendable () throws -> Void) {
    core.set(core.cancelHandler, CancelHandler(run: handler))
  }
  /// Sets what is told, on the target queue, of a registration that the system refuses after `activate()` has
  /// returned (after a migration, say); the source is cancelled then, and its cancel handler follows (rule S6). Without
  /// one, the dispatcher's error handler is told.
  public func setErrorHandler(_ handler: @escaping @Sendable (SourceError) -> Void) {
    core.set(core.errorHandler, ErrorHandler(run: handler))
  }

  /// Registers the descriptor (rule S3): one system call. A second call has no effect, whatever has become of the source.
  /// Waits, if it must, for the poller to be handed over, never for user code.
  ///
  /// - Throws: `.registration` with what the system said (the source is then cancelled), `.emptyInterest`,
  ///   `.cancelled`, `.stopped`.
  public func activate() throws(SourceError) { try core.activate() }
  /// Holds deliveries from the next handler on; nests. Costs no CPU while the descriptor stays ready (rule S4). Traps, naming
  /// the source, if 65,535 are open.
  public func suspend() { core.suspend() }
  /// Ends one `suspend()`; traps, naming the source, if there is none.
  public func resume() { core.resume() }
  /// No handler starts after it returns; the cancel handler follows. Never blocks, idempotent, any thread, any
  /// state (rule S7).
  public func cancel() { core.cancel() }
  /// Gives it another queue, live; its registration follows. Throws as `SerialQueue.setTarget` does. O(workers + depth of
  /// the target).
  ///
  /// - Parameters:
  ///   - target: a queue of the same dispatcher.
  ///   - completion: called once, on the new target: effective, when the registration is there and a handler that ran at
  ///     the old place has ended; superseded, if a later `setTarget` of this source came first (rule M3).
  public func setTarget(
    _ target: any Queue, completion: (@Sendable (SerialQueue.RetargetOutcome) -> Void)? = nil
  ) throws(DispatcherError) { try core.setTarget(target, completion: completion) }
}
