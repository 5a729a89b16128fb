internal import CLinux
internal import Glibc
internal import Polling
internal import Synchronization

/// One round of a worker.
extension Worker {
  /// One round. The worker's thread.
  func turn() {
    lease.comeBack()
    // A thread that was away when it was told to leave may have been abandoned, its places given to another: it must not
    // look at them. After the lease is taken, as whoever saw it away before had told it.
    guard !custody.mustLeave else { return leaveLease() }
    counters.rounds.wrappingAdd(1, ordering: .relaxed)
    drainMailbox()
    expireTimers()
    if findWork() {
      let now = monotonicNow()
      // With work at hand, a look at the poller now and then is enough (rule Q4); each one passes over what is pending.
      if now &- local.pointee.lastPoll >= pollInterval {
        local.pointee.lastPoll = now
        poll(.now, by: self)
      }
      checkPeers(now)
    } else {
      sleepUntilReady()
      // Woken to search: done before user code runs, which may take long. As long as one is counted as a searcher,
      // nobody is woken for what is submitted.
      if local.pointee.isSearching { _ = findWork() }
    }
    leaveLease()
    // Looked at once, and after the lease is left: what comes later is run in the next round, under the watch.
    guard hasWork else { return }
    wakePolicy.workerBegins()
    withDispatcher { $0.watch.workerBegins(self) }
    runPhase()
  }

  // MARK: Polling (lease)

  /// Waits for readiness and turns it into entries. `server`: the calling worker, this one or a peer.
  private func poll(_ mode: WaitMode, by server: Worker) {
    guard let poller else { return }
    if mode == .untilReady { setDeadlines(poller) }
    do { try poller.wait(mode) } catch {
      fatalError("dispatcher '\(dispatcher.name)', worker \(index): the poller is beyond use: \(error)")
    }
    deliver(poller, blocked: mode == .untilReady, server: server.ref)
    if poller.alarmRang { withDispatcher { $0.watch.rang(of: self, by: server) } }
  }

  private func deliver(_ poller: Poller, blocked: Bool, server: WorkerRef) {
    let wait = WaitReport(worker: index, number: poller.waitNumber, blocked: blocked, server: server)
    for ready in poller.ready where !ready.readiness.isEmpty {
      if Registration.report(ready.readiness, context: ready.context, in: wait) {
        Registration.update(ready.slot, on: poller)
      }
    }
    if poller.hasFailures {
      for failure in poller.takeFailures() {
        Registration.fail(failure.error, context: failure.context)
      }
    }
  }

  private func setDeadlines(_ poller: Poller) {
    poller.setDeadline(.continuous, timers.pointee.continuous.wakeTime)
    poller.setDeadline(.suspending, timers.pointee.suspending.wakeTime)
  }

  private func expireTimers() {
    switch (timers.pointee.continuous.earliest != nil, timers.pointee.suspending.earliest != nil) {
    case (true, true): expireBoth()
    case (true, false): timers.pointee.continuous.expire(TimerClock.continuous.now, on: self)
    case (false, true): timers.pointee.suspending.expire(TimerClock.suspending.now, on: self)
    case (false, false): break
    }
  }

  /// A queue's timers come in order of due time whatever their clock (rule T1): those that are later at this moment first,
  /// from either clock in turn.
  private func expireBoth() {
    let (continuous, suspending) = TimerClock.bothNow
    while true {
      switch (timers.pointee.continuous.lateness(at: continuous), timers.pointee.suspending.lateness(at: suspending)) {
      case (nil, nil): return
      case (let late?, let other) where late >= other ?? 0:
        timers.pointee.continuous.expire(continuous - (other ?? 0), on: self)
      case (let other, _?): timers.pointee.suspending.expire(suspending - (other ?? 0), on: self)
      default: return
      }
    }
  }

  // MARK: Sleeping

  private func sleepUntilReady() {
    // An empty thread queue leaves no chunk behind.
    ownQueue._withUnsafeGuaranteedRef { $0.settleIfEmpty(ref) }
    sleep.store(Sleep.sleeping, ordering: .sequentiallyConsistent)
    wakePolicy.setIdle(index)
    // After the announcement: what was submitted before it is seen here, what comes after it writes to the waker.
    let mode: WaitMode =
      hasAnythingBeforeSleep || withDispatcher { $0.hasUnpinnedWork } || custody.isLeaving ? .now : .untilReady
    if mode == .untilReady {
      withDispatcher { dispatcher in
        dispatcher.watch.workerSleeps(self)
        if dispatcher.isClosing { dispatcher.shutdown.workerSleeps() }
      }
    }
    poll(mode, by: self)
    wakePolicy.clearIdle(index)
    let woken = sleep.exchange(Sleep.awake, ordering: .sequentiallyConsistent)
    if woken == Sleep.notifiedToSearch { local.pointee.isSearching = true }
    expireTimers()
    checkPeers(monotonicNow())
  }

  private var hasAnythingBeforeSleep: Bool {
    ownQueue._withUnsafeGuaranteedRef { $0.hasReady } || !mailbox.isEmpty || !ring.isEmptyBeforeSleep
  }

  /// Ends the sleep that the worker has announced, if it has; merged: one write for one sleep (rule Q5). Any thread,
  /// after it has published what the worker is to find.
  @inline(__always)
  func wakeIfAsleep() {
    if sleep.load(ordering: .sequentiallyConsistent) == Sleep.sleeping { _ = wake(Sleep.notified) }
  }

  @inline(never)
  private func wake(_ how: UInt8) -> Bool {
    let (mine, _) = sleep.compareExchange(
      expected: Sleep.sleeping, desired: how, ordering: .sequentiallyConsistent)
    // The poller lives as long as the dispatcher.
    if mine { poller?.wake() }
    return mine
  }

  /// Wakes the worker as a searcher.
  /// - Returns: whether it was asleep and this call has woken it.
  func wakeToSearch() -> Bool {
    guard sleep.load(ordering: .sequentiallyConsistent) == Sleep.sleeping else { return false }
    return wake(Sleep.notifiedToSearch)
  }

  // MARK: Looking for work

  /// Whether there is work for this worker; if there is none here, it looks at the peers' and, for a while, for work
  /// from anywhere. Under the worker's own lease.
  private func findWork() -> Bool {
    let policy = wakePolicy
    // A worker that was woken to search is counted already.
    if !local.pointee.isSearching {
      if hasWork { return true }
      policy.beginSearching()
    }
    local.pointee.isSearching = false
    var found = search()
    if !found, idleSpin > 0 {
      let end = monotonicNow() &+ idleSpin
      repeat {
        for _ in 0..<16 { hawt_pause() }
        found = search()
      } while !found && monotonicNow() < end && !custody.isLeaving
    }
    policy.endSearching()
    return found
  }

  private func search() -> Bool {
    if !mailbox.isEmpty { drainMailbox() }
    // A shared entry is taken while this worker still counts as the searcher, so that one entry wakes one worker.
    if !injection(1).looksEmpty { takeShared() }
    if hasWork { return true }
    return withDispatcher { dispatcher in
      let workers = dispatcher.workers
      for offset in 1..<max(1, workers.count) where steal(from: workers[(index + offset) % workers.count], all: false) {
        return true
      }
      return false
    }
  }

  private func takeShared() {
    let entry = injection(1).pop()
    guard entry.kind != Entry.Kind.empty else { return }
    if !ring.push(entry) { _ = injection(1).push(entry, isOutside: false) }
  }

  /// Takes half of a peer's entries, or all of them.
  private func steal(from peer: Worker, all: Bool) -> Bool {
    var taken = 0
    let count = peer.ring.count
    // The last one is left to its owner, which runs it next, unless the owner is stuck.
    var left = all ? count : count / 2
    while left > 0 {
      let entry = peer.ring.pop()
      if entry.kind == Entry.Kind.empty { break }
      if !ring.push(entry) { _ = injection(1).push(entry, isOutside: false) }
      taken += 1
      left -= 1
    }
    if taken > 0 { counters.steals.wrappingAdd(taken, ordering: .relaxed) }
    return taken > 0
  }

  // MARK: Stuck peers (rule Q13)

  /// Serves the pollers, timers and run queues of peers that are stuck in a task. Under the worker's own lease.
  private func checkPeers(_ now: Nanoseconds) {
    guard now &- local.pointee.lastPeerCheck >= stuckAfter else { return }
    local.pointee.lastPeerCheck = now
    for peer in dispatcher.workers where peer !== self && peer.isStuck(now) { serve(peer) }
  }

  /// Whether the worker has been in user code for long.
  func isStuck(_ now: Nanoseconds) -> Bool {
    let since = busySince.load(ordering: .relaxed)
    return isInUserCode && now > since && now - since >= stuckAfter
  }

  private func serve(_ peer: Worker) {
    if steal(from: peer, all: true) { dispatcher.wakePolicy.notify() }
    guard peer.lease.tryTake() else { return }
    peer.counters.takeovers.wrappingAdd(1, ordering: .relaxed)
    if peer.poller != nil {
      peer.drainMailbox()
      peer.expireTimers()
      peer.poll(.now, by: self)
    }
    peer.freeLease()
  }

  // MARK: Lease and mailbox

  /// Has `work` reconciled under this worker's lease: at once if the lease is free, otherwise by its holder. Any
  /// thread; never waits.
  func post(_ work: PollerWork) {
    mailbox.push(work)
    if lease.tryTake() {
      drainMailbox()
      freeLease()
    } else {
      wakeIfAsleep()
    }
  }

  func drainMailbox() {
    while !mailbox.isEmpty { mailbox.drain { $0.reconcile(on: self) } }
  }

  /// Frees the lease. What was posted while it was held is done by whoever takes it next: this thread if nobody else.
  func freeLease() {
    lease.free()
    drainPosted()
  }

  /// The same, of the owner before it runs user code.
  private func leaveLease() {
    lease.leave()
    drainPosted()
  }

  private func drainPosted() {
    while !mailbox.isEmpty, lease.tryTake() {
      drainMailbox()
      lease.free()
    }
  }
}
