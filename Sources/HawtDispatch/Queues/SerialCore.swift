internal import Synchronization

/// A serial queue inside: the state word (drawn in `SerialState`), the list of entries, the target, and its place in
/// the tree of targets.
final class SerialCore: QueueCore, Part, @unchecked Sendable {
  // Sound as Sendable: constant or atomic fields, a list made for concurrent use, and links that the topology lock
  // guards.

  // An idle queue's memory counts: small fields stand where the larger ones leave room.

  /// Whether the topology knows it.
  var isLinked = false
  private let isBounded: Bool
  /// Whether it has ever been given a thread queue for target by a retarget: then its visits are noted, see `Visits`.
  let commutes = Atomic<Bool>(false)
  let state = Atomic<UInt64>(0)
  let list = ChunkList()
  /// How many public references there are (rule Q6).
  let handles = Atomic<Int32>(0)
  let target: Target

  /// The other children of its target, and its own first child. Guarded by the topology lock, unowned: a queue unlinks
  /// itself before it goes, and a child keeps its target alive.
  var nextSibling: Unmanaged<SerialCore>?
  var previousSibling: Unmanaged<SerialCore>?
  var firstChild: Unmanaged<SerialCore>?

  init(dispatcher: DispatcherCore, label: String, target: QueueCore, limit: QueueLimit?) {
    self.target = Target(target)
    isBounded = limit != nil
    super.init(dispatcher: dispatcher, label: label, kind: .serial)
    if let limit { extras.bound = Bound(limit) }
    _ = Unmanaged.passUnretained(dispatcher).retain()
  }

  deinit {
    // In a forked child a thread that is not there may hold the lock for ever; nothing there counts any more.
    guard !dispatcher.isForked else { return }
    dispatcher.topology.unlink(self)
    letGoOfExtras()
    Unmanaged.passUnretained(dispatcher).release()
  }

  /// Its bound, if it has one.
  var bound: Bound? { isBounded ? existingExtras?.bound : nil }

  override var depth: Int { list.depth }
  override func makeHandle() -> any Queue { SerialQueue(self) }

  // MARK: Submitting

  @inline(__always)
  override func submit(_ entry: Entry) -> Submission {
    let worker = enter()
    if let worker, !isBounded, worker.isRunning(self) {
      pushFromWithin(entry, worker)
      return .accepted
    }
    return submit(entry, worker)
  }

  /// Submits a reusable task.
  @inline(__always)
  func submit(_ item: WorkItem) -> Submission {
    let worker = enter()
    if let worker, !isBounded, worker.isRunning(self) {
      pushFromWithin(worker.use { $0.entryForRepost(item.core) } ?? item.makeEntry(), worker)
      return .accepted
    }
    return submit(item.makeEntry(), worker)
  }

  /// Takes an entry from the task of this queue that is running: nobody has to be told.
  @inline(__always)
  private func pushFromWithin(_ entry: Entry, _ worker: WorkerRef) {
    if !list.pushAsConsumer(entry) { enqueue(entry, worker: worker) }
  }

  private func submit(_ entry: Entry, _ worker: WorkerRef?) -> Submission {
    if let bound, !bound.admit() {
      _ = entry.discard()
      return .refused(.queueFull(limit: bound.limit.maximum))
    }
    let result = list.push(isBounded ? entry.counted : entry, isOutside: worker == nil, worker: worker)
    if result == .accepted {
      ensureScheduled(worker)
      return .accepted
    }
    return submitSlowly(result, worker)
  }

  @inline(never)
  private func submitSlowly(_ result: ChunkList.Push, _ worker: WorkerRef?) -> Submission {
    if result == .acceptedAwaited {
      poke(worker)
      return .accepted
    }
    // A void entry in a reserved slot must be consumed, or the list would never be empty.
    if result == .refused { poke(worker) }
    bound?.discarded()
    return .refused(.shutDown)
  }

  override func enqueue(_ entry: Entry, worker: WorkerRef?) {
    if list.push(entry, isOutside: false, worker: worker) == .accepted {
      ensureScheduled(worker)
    } else {
      poke(worker)
    }
  }

  /// Makes somebody responsible for the entry that the caller has published.
  @inline(__always)
  func ensureScheduled(_ worker: WorkerRef?) {
    // Sequentially consistent: it must come after the publication; see "why nothing is lost" at `ChunkList`.
    let seen = state.load(ordering: .sequentiallyConsistent)
    if seen & SerialState.scheduled == 0 { schedule(seen, worker) }
  }

  private func schedule(_ first: UInt64, _ worker: WorkerRef?) {
    var seen = first
    while seen & SerialState.scheduled == 0 {
      // Acquires the target that belongs to the epoch; releases to the runner what the producer did.
      let was = SerialState(seen)
      // Running, and not scheduled: by a thread that a shutdown left behind, which hands it on.
      let pushes = !was.isSuspended && !was.has(SerialState.running)
      let claimed = SerialState.scheduled | (pushes ? SerialState.queued : 0)
      let (done, now) = state.compareExchange(
        expected: seen, desired: seen | claimed, ordering: .sequentiallyConsistent)
      if done {
        if pushes { pushToTarget(epoch: was.epoch, worker) }
        return
      }
      seen = now
    }
  }

  /// Tells the queue that an entry on which its consumer stopped is published now.
  private func poke(_ worker: WorkerRef?) {
    var seen = state.load(ordering: .sequentiallyConsistent)
    while seen & SerialState.running != 0 {
      let (done, now) = state.compareExchange(
        expected: seen, desired: seen | SerialState.poked, ordering: .sequentiallyConsistent)
      if done { return }
      seen = now
    }
    schedule(seen, worker)
  }

  func pushToTarget(epoch: UInt32, _ worker: WorkerRef?) {
    target.push(Entry(self, epoch: epoch), worker: worker)
  }

  // MARK: Running

  /// Runs the queue on the calling worker, if the entry is valid, until it is empty, its time is over, or it has to
  /// leave. Constant stack for each level of nesting.
  @inline(__always)
  func run(epoch: UInt32, on worker: Worker) {
    var epoch = epoch
    var seen = state.load(ordering: .relaxed)
    if SerialState(seen).epoch != epoch {
      // Void: of an epoch that is over. Unless the queue has come back to the place that it left.
      guard commutes.load(ordering: .relaxed), let present = presentEpoch(at: worker) else { return }
      epoch = present
      seen = state.load(ordering: .relaxed)
    }
    while true {
      let was = SerialState(seen)
      guard was.epoch == epoch, was.has(SerialState.queued) else { return }
      guard !was.isSuspended else {
        let (dropped, now) = state.weakCompareExchange(
          expected: seen, desired: seen & ~SerialState.queued, ordering: .acquiringAndReleasing)
        if dropped { return }
        seen = now
        continue
      }
      let taken =
        (seen & ~(SerialState.runnerMask | SerialState.queued)) | SerialState.running
        | UInt64(worker.index) << SerialState.runnerShift
      // Acquires what the former runner and the producers released.
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: taken, ordering: .acquiringAndReleasing)
      if done { break }
      seen = now
    }
    worker.push(frame: .passUnretained(self))
    drain(worker)
    worker.popFrame()
  }

  @inline(__always)
  private func drain(_ worker: Worker) {
    while true {
      if worker.mustLeave {
        worker.settleReferences()
        // A list without an entry is left as such, or its chunk would stay, and a shutdown take it for unfinished.
        if !mayHaveMore(worker), leaveEmpty(worker) { return }
        return leaveUnfinished(worker)
      }
      // A thread that a shutdown leaves behind in a task is no consumer any more when that returns (rule L3).
      guard worker.beginTaking() else {
        worker.settleReferences()
        return leaveUnfinished(worker)
      }
      let entry = list.pop(worker: worker.ref)
      worker.custody.leave()
      if entry.kind == Entry.Kind.empty {
        worker.settleReferences()
        if leaveEmpty(worker) { return }
        continue
      }
      guard entry.isCounted, let bound, bound.consumed() else {
        worker.execute(entry)
        continue
      }
      worker.execute(entry)
      // Between two tasks: it may suspend the queue, or retarget it.
      worker.settleReferences()
      worker.callLowWater(bound)
    }
  }

  /// Whether something is ready, as far as this thread may know: the list of one that a shutdown has left behind is the
  /// shutdown's, down to its memory.
  private func mayHaveMore(_ worker: Worker) -> Bool {
    guard worker.beginTaking() else { return true }
    defer { worker.custody.leave() }
    return list.hasReady()
  }

  /// Leaves with entries still there: hands the queue on.
  private func leaveUnfinished(_ worker: Worker) {
    var seen = state.load(ordering: .relaxed)
    while true {
      var gone = seen & ~(SerialState.running | SerialState.runnerMask | SerialState.poked | SerialState.moving)
      if SerialState(seen).isDue { gone |= SerialState.queued }
      // Releases what the tasks did to the next runner; acquires the target of a new epoch.
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: gone, ordering: .acquiringAndReleasing)
      if done { break }
      seen = now
    }
    let was = SerialState(seen)
    if was.isDue {
      pushToTarget(epoch: was.epoch, worker.pusher)
    } else if worker.custody.isAbandoned {
      // A shutdown has discarded what there was, see `takeAll`; what the task posted to its own queue at that moment may
      // have told nobody, see `pushFromWithin`.
      ensureScheduled(nil)
    }
    if was.has(SerialState.moving) { dispatcher.topology.left(self, epoch: was.epoch) }
  }

  /// Leaves an empty list. False if an entry came meanwhile, or the thread is not to take any.
  @inline(__always)
  private func leaveEmpty(_ worker: Worker) -> Bool {
    guard worker.beginTaking() else { return false }
    let settled = list.settle(worker: worker.ref)
    worker.custody.leave()
    if settled == .arrived { return false }
    var seen = state.load(ordering: .relaxed)
    while true {
      if seen & SerialState.poked != 0 {
        let (done, now) = state.weakCompareExchange(
          expected: seen, desired: seen & ~SerialState.poked, ordering: .acquiringAndReleasing)
        if done { return false }
        seen = now
        continue
      }
      let gone = seen & ~(SerialState.running | SerialState.scheduled | SerialState.runnerMask | SerialState.moving)
      // Sequentially consistent: comes before the look at the list below.
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: gone, ordering: .sequentiallyConsistent)
      if done { break }
      seen = now
    }
    if settled == .empty, list.isLinked { ensureScheduled(worker.pusher) }
    if seen & SerialState.moving != 0 { dispatcher.topology.left(self, epoch: SerialState(seen).epoch) }
    return true
  }

  // MARK: Suspending

  func suspend() {
    _ = enter()
    var seen = state.load(ordering: .relaxed)
    while true {
      trap(
        unless: SerialState(seen).suspendCount < SerialState.suspendLimit,
        "SerialQueue '\(label)': suspended \(SerialState.suspendLimit) times without a resume; that is the limit")
      let (done, now) = state.weakCompareExchange(
        expected: seen, desired: seen + SerialState.suspendUnit, ordering: .sequentiallyConsistent)
      if done { break }
      seen = now
    }
    interruptRunner(SerialState(seen))
  }

  func resume() {
    let worker = enter()
    var seen = state.load(ordering: .relaxed)
    var pushes = false
    while true {
      let was = SerialState(seen)
      guard was.suspendCount > 0 else {
        fatalError(
          "SerialQueue '\(label)': resumed more often than it was suspended; balance each resume() with a suspend()")
      }
      var next = seen - SerialState.suspendUnit
      pushes = was.suspendCount == 1 && was.lacksEntry
      if pushes { next |= SerialState.queued }
      let (done, now) = state.weakCompareExchange(expected: seen, desired: next, ordering: .sequentiallyConsistent)
      if done {
        seen = next
        break
      }
      seen = now
    }
    if pushes { pushToTarget(epoch: SerialState(seen).epoch, worker) }
  }

  /// Tells the worker that runs the queue to look at it at the next task boundary.
  private func interruptRunner(_ was: SerialState) {
    if was.has(SerialState.running) { dispatcher.workers[was.runner].interrupt() }
  }

  // MARK: Retargeting (the topology lock is held, the target published)

  /// Raises the epoch and hands the queue to its new target.
  /// - Returns: the new epoch if the queue is running, so that the move completes when the runner leaves.
  func raiseEpoch(_ worker: WorkerRef?) -> UInt32? {
    var seen = state.load(ordering: .relaxed)
    var next = seen
    while true {
      // An entry that stands in the old target is void with its epoch.
      next = (seen & ~SerialState.queued) &+ SerialState.epochUnit
      if seen & SerialState.running != 0 {
        next |= SerialState.moving
      } else if SerialState(seen).isDue {
        next |= SerialState.queued
      }
      // Releases the target with the epoch; acquires to read the flags.
      let (done, now) = state.weakCompareExchange(expected: seen, desired: next, ordering: .sequentiallyConsistent)
      if done { break }
      seen = now
    }
    let was = SerialState(seen)
    if was.has(SerialState.running) {
      interruptRunner(was)
      return SerialState(next).epoch
    }
    if was.isDue { pushToTarget(epoch: SerialState(next).epoch, worker) }
    return nil
  }
}
