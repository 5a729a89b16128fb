internal import CLinux
internal import Glibc
internal import Polling
internal import Synchronization

/// Running entries: the phase of user code, and the choice of what comes next.
extension Worker {
  /// Whether the queue that is running has to be left: its time is over, or it, or one that it is nested in, was
  /// retargeted or suspended.
  @inline(__always)
  var mustLeave: Bool {
    // Acquires what the retarget or suspension released.
    local.pointee.isSpent || interruptWord.load(ordering: .acquiring)
  }

  /// Before the thread takes an entry, see `Custody.enter`. A child that was forked by a task and has returned from it ends
  /// here: it is no worker of the parent's (rule S9).
  @inline(__always)
  func beginTaking() -> Bool {
    endIfForked()
    return custody.enter()
  }

  /// After user code.
  @inline(__always)
  func endIfForked() {
    if isForked { dispatcher.trapForked("a worker, in a task that forked and has returned in the child,") }
  }

  /// Lets the queues that run here be looked at before their next task. Any thread.
  func interrupt() { interruptWord.store(true, ordering: .sequentiallyConsistent) }

  /// The thread is left behind in a task: when that returns, it leaves every queue and takes nothing (rule L3).
  func abandon() {
    custody.abandon()
    interrupt()
  }

  /// Takes the entries of the run queue out, without running them. Any thread, after the worker's own has ended.
  func discardRing(into discarded: inout Discarded) {
    let queue = dispatcher.globals[Priority.default.rawValue]
    while true {
      let entry = ring.pop()
      if entry.kind == Entry.Kind.empty { return }
      discarded.take(entry, of: queue)
    }
  }

  /// Runs an entry and consumes it.
  @inline(__always)
  func execute(_ entry: Entry) {
    // Another entry's object is let go of before this one starts (rule Q6).
    if local.pointee.owed != 0, local.pointee.owed != entry.first { settleReferences() }
    switch entry.kind {
    case Entry.Kind.job:
      // Ends the closure's life: its captures are gone before the next task starts (rule Q6).
      entry.takeJob().finish { dispatcher.report($0, .task, on: currentQueue) }
      countTask()
    case Entry.Kind.queue:
      let queue = entry.queue
      queue._withUnsafeGuaranteedRef { $0.run(epoch: entry.epoch, on: self) }
      queue.release()
      // Also a void one takes its time.
      countTask()
    case Entry.Kind.object:
      local.pointee.executing = entry.first
      entry.object._withUnsafeGuaranteedRef { $0.execute(on: self, ticket: entry.second) }
      // Nobody else's since: what an object executes runs no entries.
      if local.pointee.executing != 0 {
        local.pointee.owed = entry.first
        local.pointee.owedCount &+= 1
      }
      local.pointee.executing = 0
      countTask()
    default: break
    }
  }

  @inline(__always)
  private func countTask() {
    local.pointee.countdown &-= 1
    if local.pointee.countdown <= 0 { lookAtClock() }
  }

  @inline(never)
  private func lookAtClock() {
    local.pointee.countdown = tasksBetweenClockChecks
    if monotonicNow() >= local.pointee.deadline { local.pointee.isSpent = true }
    // `pushLocally` looks without a barrier, and may have overlooked a peer that was about to sleep.
    if wakePolicy.hasIdle, ring.count > 1 { wakePolicy.notify() }
  }

  /// Lets go of the object that was executed last, as often as it was: of one that is posted again and again, all at once.
  @inline(__always)
  func settleReferences() {
    if local.pointee.owed != 0 { settleOwed() }
  }

  @inline(never)
  private func settleOwed() {
    let object = UnsafeRawPointer(bitPattern: local.pointee.owed).unsafelyUnwrapped
    let count = local.pointee.owedCount
    // First, as the object's deinitializer is user code.
    local.pointee.owed = 0
    local.pointee.owedCount = 0
    hawt_release_n(object, count)
  }

  /// An entry for `object`, posted to the queue that is running. If the object itself posts, its reference is moved: the
  /// queue does not execute the new entry before the present one has ended, and a shutdown that discards it earlier hands
  /// the reference back (see `Discarded`).
  @inline(__always)
  func entryForRepost(_ object: Runnable) -> Entry? {
    let bits = UInt(bitPattern: Unmanaged.passUnretained(object).toOpaque())
    guard local.pointee.executing == bits else { return nil }
    local.pointee.executing = 0
    return Entry(tag: Entry.Kind.object, first: bits, second: 0)
  }

  func callLowWater(_ bound: Bound) { bound.limit.onLowWater?() }

  /// The ring of a thread that is on its way out is emptied by others. While other priorities have work, all work is
  /// shared: a worker that had no entry of the priority whose turn it is would give its share away (rule Q9).
  @inline(__always)
  private var mayPushLocally: Bool { injections.0.looksEmpty && injections.2.looksEmpty && !custody.isLeaving }

  /// Appends to the worker's own run queue; on its own thread. False if it has to be shared.
  @inline(__always)
  func pushLocally(_ entry: Entry) -> Bool {
    guard mayPushLocally, ring.push(entry) else { return false }
    // One entry is run next by this worker itself; a second is worth a peer's waking up.
    if wakePolicy.hasIdle, ring.count > 1 { wakePolicy.notify() }
    return true
  }

  /// The phase of user code: runs entries until there are none or the round's time is over.
  func runPhase() {
    let begin = monotonicNow()
    busySince.store(begin, ordering: .relaxed)
    local.pointee.deadline = begin &+ queueBudget
    local.pointee.isSpent = false
    local.pointee.countdown = tasksBetweenClockChecks
    while true {
      let waiting = waitingLevels
      guard let (level, isContended) = shares.choose(waiting) else { return }
      let used = isContended ? processorTime() : 0
      var left = tasksBetweenClockChecks
      while left > 0, !local.pointee.isSpent, runOne(level) { left -= 1 }
      if custody.isLeaving { return }
      if isContended { shares.charge(level, processorTime() &- used, waiting) }
      if local.pointee.isSpent || monotonicNow() >= local.pointee.deadline {
        if level == 1 { endTurnOfPlace() }
        return
      }
    }
  }

  /// Runs one root entry of a priority, if there is one.
  @inline(__always)
  private func runOne(_ level: Int) -> Bool {
    // The worker is at no queue: a former interruption has done its work.
    if interruptWord.load(ordering: .relaxed) { interruptWord.store(false, ordering: .relaxed) }
    guard beginTaking() else { return false }
    var root = level == 1 ? roots.1 : level == 0 ? roots.0 : roots.2
    var entry = Entry.empty
    if level == 1 {
      entry = nextOfDefaultPriority(&root)
    } else {
      entry = level == 0 ? injections.0.pop() : injections.2.pop()
    }
    custody.leave()
    guard entry.kind != Entry.Kind.empty else { return false }
    push(frame: root)
    execute(entry)
    settleReferences()
    popFrame()
    return true
  }

  /// The next entry of default priority, from whichever of the three places has its turn: the thread queue, the own run
  /// queue, the shared one.
  ///
  /// A place keeps its turn until it is empty or the round's time is over: they share time, not entries. An entry may be
  /// the handler of one event, or a queue that uses the whole of its budget (rule Q4).
  @inline(__always)
  private func nextOfDefaultPriority(_ root: inout Unmanaged<QueueCore>) -> Entry {
    for _ in 0..<3 {
      var entry = Entry.empty
      switch local.pointee.turnOfPlace {
      case 0:
        if ownQueue._withUnsafeGuaranteedRef({ $0.hasReady }) {
          entry = ownQueue._withUnsafeGuaranteedRef { $0.pop(ref) }
          if entry.kind != Entry.Kind.empty { root = .fromOpaque(ownQueue.toOpaque()) }
        }
      case 1: entry = ring.pop()
      default: if !injections.1.looksEmpty { entry = nextShared() }
      }
      if entry.kind != Entry.Kind.empty { return entry }
      passTurnOfPlace()
    }
    return .empty
  }

  /// The next shared entry; if the own run queue is empty, some more are moved there, where peers may steal them, and have
  /// their turn at once.
  @inline(never)
  private func nextShared() -> Entry {
    guard ring.count == 0, mayPushLocally else { return injections.1.pop() }
    let entry = injections.1.pop(sparing: ring)
    if ring.count > 0 {
      local.pointee.turnOfPlace = 1
      local.pointee.isTurnOfShared = true
      if wakePolicy.hasIdle, ring.count > 1 { wakePolicy.notify() }
    }
    return entry
  }

  @inline(__always)
  private func passTurnOfPlace() {
    local.pointee.turnOfPlace = local.pointee.turnOfPlace == 2 ? 0 : local.pointee.turnOfPlace &+ 1
    local.pointee.isTurnOfShared = false
  }

  /// The round's time is over. What was moved from the shared place to the own run queue has had the shared one's turn.
  private func endTurnOfPlace() {
    if local.pointee.isTurnOfShared { local.pointee.turnOfPlace = 2 }
    passTurnOfPlace()
  }

  // MARK: Priorities (rule Q9)

  @inline(__always)
  private var hasDefaultWork: Bool {
    ring.count > 0 || !injections.1.looksEmpty || ownQueue._withUnsafeGuaranteedRef { $0.hasReady }
  }

  /// The priority with work that has had the least of its share; nil if there is no work.
  @inline(__always)
  private var waitingLevels: PriorityShares.Waiting {
    PriorityShares.Waiting(
      high: !injections.0.looksEmpty, normal: hasDefaultWork, low: !injections.2.looksEmpty)
  }

  /// Whether the worker's thread has freed its lease to run user code.
  var isInUserCode: Bool { isStarted.load(ordering: .relaxed) && lease.isOwnerAway }

  /// Whether this worker could run something now.
  var hasWork: Bool { hasDefaultWork || !injections.0.looksEmpty || !injections.2.looksEmpty }
}
