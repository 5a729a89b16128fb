internal import Synchronization

/// A serial queue's references, and its part in a shutdown.
extension SerialCore {
  // MARK: References

  /// What others have of the queue's is given back. The last reference may go under a worker's lease, where no user code
  /// must run: what users gave goes in a task.
  func letGoOfExtras() {
    guard let extras = existingExtras else { return }
    let (continuous, suspending) = extras.existingTimers
    continuous?.retire()
    suspending?.retire()
    let specifics = extras.takeSpecifics()
    guard bound != nil || !specifics.isEmpty, !dispatcher.isStopped else { return }
    let global = dispatcher.globals[Priority.default.rawValue]
    global.enqueue(Entry(UserValues(specifics, bound)), worker: WorkerRef(of: dispatcher))
  }

  func addHandle() {
    // The first one after the last had gone waits for `dropHandle`, which may be at work: what its holder suspends now
    // counts.
    if handles.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue == 0 { dispatcher.topology.lock.withLock {} }
  }

  /// A public reference went. With the last one, a suspension counts no longer (rule Q6).
  func dropHandle() {
    // Acquires and releases, as the last drop must come after what the other holders did.
    guard handles.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 else { return }
    guard SerialState(state.load(ordering: .acquiring)).isSuspended else { return }
    let due = dispatcher.topology.lock.withLock { () -> UInt32? in
      // A task of the queue may have made another reference meanwhile.
      handles.load(ordering: .sequentiallyConsistent) == 0 ? endSuspension() : nil
    }
    if let due { pushToTarget(epoch: due, WorkerRef(of: dispatcher)) }
  }

  /// - Returns: the epoch of the entry that is due, if one is.
  private func endSuspension() -> UInt32? {
    var seen = state.load(ordering: .relaxed)
    while true {
      let was = SerialState(seen)
      guard was.isSuspended else { return nil }
      let pushes = was.lacksEntry
      var next = seen & ~(SerialState.suspendLimit * SerialState.suspendUnit)
      if pushes { next |= SerialState.queued }
      let (done, now) = state.weakCompareExchange(expected: seen, desired: next, ordering: .sequentiallyConsistent)
      if done { return pushes ? SerialState(next).epoch : nil }
      seen = now
    }
  }

  var snapshot: QueueState {
    let now = SerialState(state.load(ordering: .relaxed))
    if now.has(SerialState.running) { return .running }
    if now.isSuspended { return .suspended(count: Int(now.suspendCount)) }
    return now.has(SerialState.scheduled) ? .scheduled : .idle
  }

  // MARK: Shutdown

  func close() { list.close() }

  func reopen() {
    list.reopen()
    // What a shutdown discarded brought the queue down to low water.
    if let bound, bound.takeOwedCall() { enqueue(Entry(LowWaterCall(bound)), worker: nil) }
  }

  var isDrained: Bool { list.isEmpty && state.load(ordering: .sequentiallyConsistent) & SerialState.running == 0 }

  /// Takes every entry out, without running it. The dispatcher has no worker left that could run the queue; a thread that was
  /// abandoned in a task of this queue takes nothing any more, and hands the queue on when it leaves.
  func takeAll(into discarded: inout Discarded) {
    let now = SerialState(state.load(ordering: .acquiring))
    // What is running may have moved its own reference into the entry of a re-post.
    let runner = now.has(SerialState.running) ? dispatcher.workers[now.runner] : nil
    while true {
      let entry = list.pop(worker: nil)
      if entry.kind == Entry.Kind.empty { break }
      if entry.isCounted { bound?.discarded() }
      discarded.take(entry, of: self, from: runner)
    }
    _ = list.settle(worker: nil)
    // Entries of this queue may stand in targets that were discarded: the next submission schedules afresh.
    var seen = state.load(ordering: .relaxed)
    while true {
      let next = (seen & ~(SerialState.scheduled | SerialState.queued | SerialState.poked)) &+ SerialState.epochUnit
      let (done, now) = state.weakCompareExchange(expected: seen, desired: next, ordering: .sequentiallyConsistent)
      if done { break }
      seen = now
    }
    // An entry that came after the last pop found the queue scheduled still, and relied on that.
    if list.hasReady() { ensureScheduled(nil) }
  }
}
