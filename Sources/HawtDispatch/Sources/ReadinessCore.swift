internal import Polling
internal import Synchronization

struct ReadinessHandler: Handler, ~Copyable {
  let run: @Sendable (ReadinessEvent) throws -> Void
  @inline(__always)
  consuming func call(_ event: ReadinessEvent) throws { try run(event) }
}

struct ErrorHandler: Handler, ~Copyable {
  let run: @Sendable (SourceError) -> Void
  consuming func call(_ error: SourceError) { run(error) }
}

/// A readiness source inside: brings its registration into line with what is desired, and turns reports into entries.
///
/// Level-triggered, disarmed lazily. A report makes the source pending; it stays armed, so that an event costs no
/// system call but the wait. Only a report that comes while it is suspended, or pending while the worker has
/// nothing else to do, disarms it; the end of the handler, or the resume, arms it again. A handler that ends stamps the
/// source with the wait that is current: a report of a wait that is no younger may stem from a level that the handler has
/// drained, and is dropped; if it has not, the level says so again (rules S1, M6).
class ReadinessCore: SourceBase, @unchecked Sendable {
  // Sound as Sendable: constants and atomics; the link belongs to the lease of the worker that has the registration,
  // `refusal` to that lease or a pass, and then to whoever finishes the source.

  final let descriptor: CInt
  final let interest: Interest
  /// What the pending entry stands for.
  private let readiness = Atomic<UInt8>(0)
  /// The worker that has the registration, or -1. Written by the pass.
  final let registeredOn = AtomicWorkerIndex(-1)
  /// The next source of the same descriptor, see `Registration`.
  final var nextOfRegistration: Unmanaged<ReadinessCore>?
  final let errorHandler = HandlerSlot()
  /// The worker (16 bits) and number of its wait that was current when the last handler ended.
  private let stamp = Atomic<UInt64>(.max)
  final let deliveries = Atomic<Int>(0)

  /// The first try to register it, which `activate` waits for.
  private let activation = Activation()
  /// What the system refused when no `activate()` was there to throw it: told right before the cancel handler, so that it
  /// is owed like that (rule L4). Written before the source can finish.
  private var refusal: RefusedRegistration?
  /// Called once the cancel handler has run, for joint handlers.
  final let afterCancel = AfterCancel()

  init(dispatcher: DispatcherCore, queue: QueueCore, descriptor: CInt, interest: Interest) {
    self.descriptor = descriptor
    self.interest = interest
    super.init(dispatcher: dispatcher, queue: queue)
  }

  /// A signal source's is another.
  override var label: String {
    let kind = interest == .read ? "read" : interest == .write ? "write" : "readiness"
    return "\(kind) source of descriptor \(descriptor)"
  }

  final override var placement: Int {
    let at = registeredOn.current
    return at >= 0 ? at : home.current
  }

  final var isDisarmed: Bool { SourceState(state.load(ordering: .sequentiallyConsistent)).has(SourceState.disarmed) }
  final override var registers: Bool { true }
  final override var keepsSignals: Bool { false }
  final override func desiredChanged() { requestReconcile(WorkerRef(of: dispatcher)) }

  // MARK: Activation

  final func activate() throws(SourceError) {
    guard !interest.isEmpty else { throw .emptyInterest(descriptor: descriptor) }
    guard dispatcher.isRunning else { throw .stopped(dispatcher: dispatcher.name) }
    guard try activateOnce() else { return }
    requestReconcile(WorkerRef(of: dispatcher))
    if let error = activation.awaitOutcome() { throw .registration(error) }
  }

  // MARK: Reconciling (under the lease of `worker`)

  final override func pass(on worker: Worker) -> Int? {
    let now = SourceState(state.load(ordering: .sequentiallyConsistent))
    let wants = now.has(SourceState.active) && !now.has(SourceState.cancelled) && dispatcher.servesSources
    let desired = wants ? home.current : -1
    let at = registeredOn.relaxed
    if at >= 0, at != desired {
      guard at == worker.index else { return at }
      unregister(from: worker)
    }
    guard desired >= 0 else {
      if now.has(SourceState.active) { activation.complete(nil) }
      return nil
    }
    guard desired == worker.index else { return desired }
    if at != desired { register(with: worker) } else { rearm(on: worker) }
    return nil
  }

  private func register(with worker: Worker) {
    guard let poller = worker.poller else { return }
    do throws(BackendError) {
      try Registration.add(self, on: poller)
    } catch {
      let (was, _) = transform { $0.word | SourceState.cancelled }
      if activation.isComplete, !was.has(SourceState.cancelled) { refusal = RefusedRegistration(error) }
      return activation.complete(error)
    }
    transform { $0.word | SourceState.registered }
    registeredOn.store(worker.index)
    activation.complete(nil)
  }

  private func unregister(from worker: Worker) {
    if let poller = worker.poller { Registration.remove(self, on: poller) }
    registeredOn.store(-1)
    transform { $0.word & ~(SourceState.registered | SourceState.disarmed) }
  }

  private func rearm(on worker: Worker) {
    let (_, rearmed) = transform { now in
      guard now.has(SourceState.disarmed), now.isOpen, !now.has(SourceState.pending) else { return nil }
      return now.word & ~SourceState.disarmed
    }
    if rearmed, let poller = worker.poller, let slot = poller.slot(for: descriptor) {
      Registration.update(slot, on: poller)
    }
  }

  // MARK: Reports (under the lease of `worker`)

  /// - Returns: whether it asks for less now.
  @inline(__always)
  final func report(_ ready: Interest, in wait: WaitReport) -> Bool {
    let hit = ready.intersection(interest)
    guard !hit.isEmpty else { return false }
    guard eventHandler.isSet else { return disarmUnheard(wait) }
    let (was, changed) = transform { now in
      if now.isOpen, !now.has(SourceState.pending) {
        // Looked at here, not before: a handler stamps, then ends.
        if isStale(wait) { return nil }
        readiness.store(hit.rawValue, ordering: .relaxed)
        return now.word | SourceState.pending
      }
      // Pending, and the worker has other work: it is passed over, as the handler is about to run.
      if !wait.blocked, now.isOpen { return nil }
      return now.has(SourceState.disarmed) ? nil : now.word | SourceState.disarmed
    }
    guard changed else { return false }
    guard was.isOpen, !was.has(SourceState.pending) else { return true }
    pushEntry(was.epoch, wait.server)
    return false
  }

  /// There is nobody to tell: asks for nothing, until somebody is.
  @inline(never)
  private func disarmUnheard(_ wait: WaitReport) -> Bool {
    let (_, changed) = transform { $0.has(SourceState.disarmed) ? nil : $0.word | SourceState.disarmed }
    // Set meanwhile, and perhaps before the word could say so.
    if eventHandler.isSet { requestReconcile(wait.server) }
    return changed
  }

  /// What is ready may have been waiting for the handler.
  final func eventHandlerWasSet() {
    // The handler is set before the word is looked at; a report changes the word, then looks for the handler.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if isDisarmed { requestReconcile(WorkerRef(of: dispatcher)) }
  }

  @inline(__always)
  private func isStale(_ wait: WaitReport) -> Bool {
    let stamp = stamp.load(ordering: .relaxed)
    return stamp >> 48 == UInt64(wait.worker) && wait.number <= stamp & 0xffff_ffff_ffff
  }

  final override func deliver(on worker: Worker) {
    guard let handler = eventHandler.current(ReadinessHandler.self) else { return }
    // Counted when it has run, by one handler at a time. Releases: who sees the count sees what the handler did.
    defer { deliveries.store(deliveries.load(ordering: .relaxed) &+ 1, ordering: .releasing) }
    let event = ReadinessEvent(self, Interest(rawValue: readiness.load(ordering: .relaxed)))
    do {
      try handler.call(event)
    } catch {
      dispatcher.report(error, .eventHandler, on: worker.currentQueue)
    }
  }

  final override func willEnd(on worker: Worker) {
    // The registration may be moving: the stamp counts only if the worker still has it after its number was read. If it
    // moves after that, the new worker's first wait begins after the handler has ended.
    while true {
      let at = registeredOn.current
      guard at >= 0, let number = at == worker.index ? worker.waitNumber : dispatcher.workers[at].waitNumber
      else { return }
      stamp.store(UInt64(at) << 48 | (number & 0xffff_ffff_ffff), ordering: .relaxed)
      if registeredOn.current == at { return }
    }
  }

  // MARK: Errors and the end

  /// A change of the registration failed. Under the lease.
  final func fail(_ error: BackendError) {
    let (_, first) = transform { $0.has(SourceState.cancelled) ? nil : $0.word | SourceState.cancelled }
    guard first else { return }
    refusal = RefusedRegistration(error)
    requestReconcile(WorkerRef(of: dispatcher))
  }

  final override func runCancelHandler(on worker: Worker) {
    tellRefusal { error in
      if let handler = errorHandler.current(ErrorHandler.self) {
        handler.call(error)
      } else {
        dispatcher.report(error, .sourceError, on: worker.currentQueue)
      }
    }
    super.runCancelHandler(on: worker)
    afterCancel.happened()
  }

  private func tellRefusal(_ tell: (SourceError) -> Void) {
    guard let refused = refusal else { return }
    refusal = nil
    tell(.registration(refused.error))
  }

  final override func letGoOfEventHandlers() {
    super.letGoOfEventHandlers()
    if refusal == nil { errorHandler.clear() }
  }

  final override func releaseExtras() {
    // Never to be finished, as nobody can start the dispatcher again.
    tellRefusal { dispatcher.report($0, .sourceError, on: nil) }
    errorHandler.clear()
    afterCancel.happened()
  }
}
