internal import Synchronization

/// What readiness, timer and merging sources share: the life that `SourceState` draws, the target, and the handlers.
///
/// It keeps itself alive from its creation until its cancel handler has run.
class SourceBase: PollerWork, Part, @unchecked Sendable {
  // Sound as Sendable: constants and atomics; the links are guarded by the topology lock.

  final let state = Atomic<UInt64>(0)
  final let target: Target
  /// Alive as long as the source, which has a reference to it from `init` to `deinit`: whoever has a handle of a source that is
  /// done finds its dispatcher, and so does an entry of one whose target was let go.
  private unowned(unsafe) final let owner: DispatcherCore

  /// The other sources of its queue. Guarded by the topology lock.
  final var nextOfQueue: Unmanaged<SourceBase>?
  final var previousOfQueue: Unmanaged<SourceBase>?

  /// What user code set: see `HandlerSlot`.
  final let eventHandler = HandlerSlot()
  final let cancelHandler = HandlerSlot()

  init(dispatcher: DispatcherCore, queue: QueueCore) {
    trap(
      unless: queue.dispatcher === dispatcher,
      "dispatcher '\(dispatcher.name)': a source cannot target queue '\(queue.label)' of dispatcher "
        + "'\(queue.dispatcher.name)'; choose one of its own queues")
    target = Target(queue)
    owner = dispatcher
    super.init(home: -1)
    _ = Unmanaged.passUnretained(self).retain()
    _ = Unmanaged.passUnretained(dispatcher).retain()
    dispatcher.topology.add(self, to: queue)
  }

  deinit { Unmanaged.passUnretained(owner).release() }

  final override var dispatcher: DispatcherCore { owner }
  override var placement: Int { home.current }

  // MARK: What subclasses do

  /// Whether it takes a place in a poller.
  var registers: Bool { false }
  /// Names it in errors. Made when it is asked for, as most sources never are.
  var label: String { fatalError("SourceBase.label is abstract") }
  /// Names it in the trap of a forked child: there nobody may wait for a word that a thread of the parent's had locked.
  var title: String { label }
  /// Runs the event handler. `state` says running.
  func deliver(on worker: Worker) {}
  /// Runs the cancel handler, if it was set.
  func runCancelHandler(on worker: Worker) {
    // Readiness and timer sources; a merging source has another type of handler.
    guard let handler = cancelHandler.current(CancelHandler.self) else { return }
    do { try handler.call() } catch { dispatcher.report(error, .cancelHandler, on: worker.currentQueue) }
  }
  /// Whether what an entry stood for has to be kept when the entry is dropped. A level is reported again by itself.
  var keepsSignals: Bool { true }
  /// Called when a handler has ended, before the state says so.
  func willEnd(on worker: Worker) {}
  /// Called after `activate`, `cancel`, or a `resume` to zero of something disarmed.
  func desiredChanged() {}
  /// Called after another target was set.
  func targetChanged() {}
  /// Called after the dispatcher was started again.
  func restarted() {}
  /// Called when it is cancelled and no handler but the cancel handler may start any more.
  func letGoOfEventHandlers() { eventHandler.clear() }
  /// Called on done: lets go of what user code gave, beside the handlers.
  func releaseExtras() {}

  // MARK: Transitions

  /// One read-modify-write of the word. Sequentially consistent, so that a source's whole history is one sequence.
  @discardableResult
  @inline(__always)
  final func transform(_ body: (SourceState) -> UInt64?) -> (was: SourceState, changed: Bool) {
    var seen = state.load(ordering: .sequentiallyConsistent)
    while true {
      guard let next = body(SourceState(seen)) else { return (SourceState(seen), false) }
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: next, ordering: .sequentiallyConsistent)
      if done { return (SourceState(seen), true) }
      seen = now
    }
  }

  /// There is something to deliver: gives it to the target now or, if it may not be delivered now, as soon as it may.
  @inline(__always)
  final func signal(_ worker: WorkerRef?) {
    let (was, _) = transform { now in
      if now.isOpen, !now.has(SourceState.pending) {
        return (now.word | SourceState.pending) & ~SourceState.signalled
      }
      return now.word | SourceState.signalled
    }
    if was.isOpen, !was.has(SourceState.pending) { pushEntry(was.epoch, worker) }
  }

  @inline(__always)
  final func pushEntry(_ epoch: UInt, _ worker: WorkerRef?) {
    target.push(Entry(self, ticket: epoch), worker: worker)
  }

  final override func execute(on worker: Worker, ticket: UInt) {
    let (was, taken) = transform { now in
      guard now.epoch == ticket, !now.has(SourceState.running), !now.has(SourceState.done) else { return nil }
      if now.has(SourceState.finished) { return now.word | SourceState.done }
      guard now.has(SourceState.pending) else { return nil }
      if now.has(SourceState.cancelled) { return now.word & ~SourceState.pending }
      // What it stood for is kept for the resume.
      if now.suspendCount > 0 { return (now.word & ~SourceState.pending) | keptSignal }
      return (now.word | SourceState.running) & ~SourceState.signalled
    }
    guard taken else { return }
    if was.has(SourceState.finished) { return finish(on: worker) }
    if was.has(SourceState.cancelled) { return finishIfDue(worker.pusher) }
    if was.suspendCount > 0 { return redeliverIfOpen(worker.pusher) }
    deliver(on: worker)
    // Before anything is done to the kernel's set, which a forked child shares.
    worker.endIfForked()
    willEnd(on: worker)
    let (ended, _) = transform { now in
      let rest = now.word & ~(SourceState.running | SourceState.pending | SourceState.moving)
      guard now.isOpen, now.has(SourceState.signalled) else { return rest }
      return (rest | SourceState.pending) & ~SourceState.signalled
    }
    if ended.has(SourceState.moving) { requestReconcile(worker.pusher) }
    if ended.has(SourceState.cancelled) { return finishIfDue(worker.pusher) }
    if ended.isOpen, ended.has(SourceState.signalled) { pushEntry(ended.epoch, worker.pusher) }
    if ended.has(SourceState.disarmed) { desiredChanged() }
  }

  private final var keptSignal: UInt64 { keepsSignals ? SourceState.signalled : 0 }

  /// After a resume that may have come while the entry of something suspended was dropped.
  private final func redeliverIfOpen(_ worker: WorkerRef?) {
    let (was, pushed) = transform { now in
      guard now.isOpen, now.has(SourceState.signalled), !now.has(SourceState.pending) else { return nil }
      return (now.word | SourceState.pending) & ~SourceState.signalled
    }
    if pushed { pushEntry(was.epoch, worker) }
    if was.has(SourceState.disarmed) { desiredChanged() }
  }

  // MARK: What users call

  /// Sets one of its handlers. No effect on a cancelled source.
  final func set(_ slot: borrowing HandlerSlot, _ handler: consuming some Handler & ~Copyable) {
    _ = dispatcher.enter(title)
    guard !isCancelled else { return }
    slot.set(handler)
    // It may have been cancelled meanwhile, and have let go of its handlers: of this one nobody would.
    if home.current < 0 { slot.clear() }
  }

  /// - Returns: false if it was active already.
  final func activateOnce() throws(SourceError) -> Bool {
    let worker = dispatcher.enter(title)
    let (was, changed) = transform { now in
      now.word & (SourceState.active | SourceState.cancelled) != 0 ? nil : now.word | SourceState.active
    }
    guard changed else {
      if was.has(SourceState.active) { return false }
      throw .cancelled(source: label)
    }
    redeliverIfOpen(worker)
    return true
  }

  final func suspend() {
    _ = dispatcher.enter(title)
    transform { now in
      trap(
        unless: now.suspendCount < SourceState.suspendLimit,
        "source '\(label)': suspended \(SourceState.suspendLimit) times without a resume; that is the limit")
      return now.word + SourceState.suspendUnit
    }
  }

  final func resume() {
    let worker = dispatcher.enter(title)
    let (was, _) = transform { now in
      guard now.suspendCount > 0 else {
        fatalError(
          "source '\(label)': resumed more often than it was suspended; balance each resume() with a suspend()")
      }
      return now.word - SourceState.suspendUnit
    }
    if was.suspendCount == 1 { redeliverIfOpen(worker) }
  }

  final func cancel() {
    let worker = dispatcher.enter(title)
    let (_, first) = transform { $0.has(SourceState.cancelled) ? nil : $0.word | SourceState.cancelled }
    guard first else { return }
    desiredChanged()
    finishIfDue(worker)
  }

  final func setTarget(
    _ queue: any Queue, completion: (@Sendable (SerialQueue.RetargetOutcome) -> Void)?
  ) throws(DispatcherError) {
    let worker = dispatcher.enter(title)
    guard let new = queue.controlBlock, new.dispatcher === dispatcher else {
      throw .foreignDispatcher(queue: label, target: queue.label)
    }
    let owed = completion.map { RetargetCompletion(target: new, isOfSource: true, handler: $0) }
    try dispatcher.topology.retarget(self, to: new, completion: owed, worker: worker)
  }

  /// After a restart: what a discarded entry stood for is delivered now, as nothing else may signal it again.
  final func revive() {
    restarted()
    redeliverIfOpen(WorkerRef(of: dispatcher))
    requestReconcile(nil)
  }

  final var isCancelled: Bool { SourceState(state.load(ordering: .sequentiallyConsistent)).has(SourceState.cancelled) }

  /// The topology lock is held, and the new target published: an entry that stands in the old one is void now.
  final func raiseEpoch(_ worker: WorkerRef?) {
    let (was, _) = transform { now in
      (now.word &+ SourceState.epochUnit) | (now.has(SourceState.running) ? SourceState.moving : 0)
    }
    let handlerStands = was.has(SourceState.pending) && !was.has(SourceState.running)
    let cancelStands = was.has(SourceState.finished) && !was.has(SourceState.done)
    if handlerStands || cancelStands { pushEntry(SourceState(was.word &+ SourceState.epochUnit).epoch, worker) }
  }

  // MARK: The end

  /// Sources without a registration have nothing to bring into line.
  override func pass(on worker: Worker) -> Int? { nil }

  override func settled() { finishIfDue(WorkerRef(of: dispatcher)) }

  final override var holdsCompletions: Bool {
    SourceState(state.load(ordering: .sequentiallyConsistent)).has(SourceState.moving)
  }

  /// Submits the cancel handler if it is cancelled, its last handler has ended and it is out of every poller (rule S7).
  final func finishIfDue(_ worker: WorkerRef?) {
    // Busy: a pass will follow, and ask again.
    guard isCancelled, !isBusy else { return }
    let (was, finishes) = transform { now in
      let obstacles = SourceState.pending | SourceState.registered | SourceState.finished
      guard now.has(SourceState.cancelled), now.word & obstacles == 0 else { return nil }
      return now.word | SourceState.finished
    }
    guard finishes else { return }
    // The cancel handler waits for a restart, which may never come: another handler that refers to its own dispatcher would
    // keep that for ever.
    if dispatcher.isStopped { letGoOfEventHandlers() }
    pushEntry(was.epoch, worker)
  }

  private final func finish(on worker: Worker) {
    runCancelHandler(on: worker)
    letGo()
  }

  private final func letGo() {
    dispatcher.topology.remove(self)
    eventHandler.clear()
    cancelHandler.clear()
    releaseExtras()
    Unmanaged.passUnretained(self).release()
  }

  /// A shutdown's deadline passed, or the dispatcher goes: an event that the entry stood for is dropped, as it is reported
  /// again; the call of the cancel handler, which comes once, is kept for a restart if there can be one.
  final override func discard(ticket: UInt) -> Bool {
    let mayRestart = dispatcher.hasUsers
    let (was, changed) = transform { now in
      guard now.epoch == ticket, !now.has(SourceState.done) else { return nil }
      if now.has(SourceState.finished) {
        return mayRestart ? now.word & ~SourceState.finished : now.word | SourceState.done
      }
      return (now.word & ~SourceState.pending) | keptSignal
    }
    guard changed else { return false }
    if !was.has(SourceState.finished) {
      finishIfDue(nil)
    } else if mayRestart {
      letGoOfEventHandlers()
    } else {
      letGo()
    }
    return false
  }
}
