internal import Glibc
internal import Polling
internal import Synchronization

/// How a dispatcher comes to its end, and starts again (rules L3, L4). Modelled in `Conformance/Models/shutdown.pml`.
///
/// A thread of its own, the coordinator, goes through the steps, so that anybody may ask for a shutdown, workers too:
///
/// 1. close: each list decides, by the operation that reserves a slot, whether a submission from outside came before
/// 2. drop the timers, take the registrations out
/// 3. wait until every worker sleeps and every list is empty, or until the deadline
/// 4. tell the threads to leave; those that are held by a task are named and left behind
/// 5. discard what is left, and count it; what is owed all the same is kept for the next start
final class Shutdown: @unchecked Sendable {
  // Sound as Sendable: `lock` guards `completions` and `owed`.
  let lock = Lock()
  private var completions: [@Sendable (ShutdownReport) -> Void] = []
  /// What waits for the next start.
  private var owed: [Discarded.Owed] = []
  private let progress = Signal()
  /// Held while what is left is discarded: lists have one consumer.
  private let discarding = Lock()

  /// How long a thread that is on its way out may take before it counts as held by a task.
  private static let grace: Nanoseconds = 100_000_000

  /// Begins a shutdown, or joins the one that is under way. Any thread; returns at once.
  func begin(
    _ dispatcher: DispatcherCore, deadline: Duration?, completion: (@Sendable (ShutdownReport) -> Void)?
  ) {
    let end = deadline.map { TimerClock.suspending.deadline(after: $0) } ?? Nanoseconds(Int64.max)
    let next = lock.withLock { () -> Next in
      if dispatcher.isStopped { return .answer }
      if let completion { completions.append(completion) }
      guard dispatcher.isRunning else { return .join }
      dispatcher.enterPhase(DispatcherCore.Phase.closing)
      // On the caller's thread, and before another caller joins: what is submitted from outside after either call has
      // returned is refused.
      close(dispatcher)
      return .run
    }
    switch next {
    case .join: return
    case .answer:
      // The last user has gone after the end: nobody will start it again.
      guard let completion else { return discardIfAbandoned(dispatcher) }
      // This call's alone: the dispatcher may be running again by then, and another shutdown under way.
      Coordinator.start { completion(ShutdownReport(discardedTasks: 0, droppedTimers: 0, stuckThreads: [])) }
    case .run:
      let timers = dropTimers(dispatcher)
      Coordinator.start { self.run(dispatcher, until: end, droppedTimers: timers) }
    }
  }

  private enum Next { case join, answer, run }

  /// A worker found nothing to do. Cheap; called as it goes to sleep while the dispatcher closes.
  func workerSleeps() { progress.raise() }

  private func run(_ dispatcher: DispatcherCore, until deadline: Nanoseconds, droppedTimers timers: Int) {
    unregister(dispatcher)
    awaitDrained(dispatcher, deadline)
    let stuck = stopThreads(dispatcher, until: deadline)
    let tasks = discard(dispatcher)
    if tasks > 0 || timers > 0 {
      dispatcher.report(DiscardedWork(tasks: tasks, timers: timers), .discarded, on: nil)
    }
    answer(dispatcher, ShutdownReport(discardedTasks: tasks, droppedTimers: timers, stuckThreads: stuck))
  }

  private func answer(_ dispatcher: DispatcherCore, _ report: ShutdownReport) {
    let due = lock.withLock { () -> [@Sendable (ShutdownReport) -> Void] in
      dispatcher.enterPhase(DispatcherCore.Phase.stopped)
      defer { completions = [] }
      return completions
    }
    for completion in due { completion(report) }
    // The last user may have gone meanwhile: what its sources left is nobody's any more.
    discardIfAbandoned(dispatcher)
  }

  /// Lets go of what is left in a stopped dispatcher that nobody can start again. One that was started by a completion
  /// has workers, or a shutdown of its own, to see to it.
  func discardIfAbandoned(_ dispatcher: DispatcherCore) {
    discarding.withLock {
      guard dispatcher.isStopped, !dispatcher.hasUsers else { return }
      // What was kept for a restart is due now.
      for source in sources(of: dispatcher) { source.finishIfDue(nil) }
      repeat { _ = discard(dispatcher) } while letGoOfOwed()
    }
  }

  /// False if there was nothing.
  private func letGoOfOwed() -> Bool {
    let taken = takeOwed()
    for each in taken { _ = each.entry.discard() }
    return !taken.isEmpty
  }

  private func takeOwed() -> [Discarded.Owed] {
    lock.withLock {
      defer { owed = [] }
      return owed
    }
  }

  // MARK: Steps

  private func close(_ dispatcher: DispatcherCore) {
    for global in dispatcher.globals { global.injection.close() }
    dispatcher.topology.forEachQueue { queue in
      switch queue {
      case let serial as SerialCore: serial.close()
      case let thread as ThreadCore: thread.close()
      default: break
      }
    }
  }

  private func dropTimers(_ dispatcher: DispatcherCore) -> Int {
    var groups: [TimerGroup] = []
    dispatcher.topology.forEachQueue { queue in
      let (continuous, suspending) = queue.existingExtras?.existingTimers ?? (nil, nil)
      groups += [continuous, suspending].compactMap { $0 }
    }
    var dropped = 0
    for group in groups {
      dropped += group.dropAll()
      group.requestReconcile(nil)
    }
    return dropped
  }

  private func unregister(_ dispatcher: DispatcherCore) {
    for source in sources(of: dispatcher) { source.requestReconcile(nil) }
  }

  private func sources(of dispatcher: DispatcherCore) -> [SourceBase] {
    var sources: [SourceBase] = []
    dispatcher.topology.forEachQueue { queue in
      var next = queue.firstSource
      while let source = next?.takeUnretainedValue() {
        sources.append(source)
        next = source.nextOfQueue
      }
    }
    return sources
  }

  /// Returns when nothing is left to do, or at the deadline.
  private func awaitDrained(_ dispatcher: DispatcherCore, _ deadline: Nanoseconds) {
    while true {
      progress.lower()
      if isDrained(dispatcher) { return }
      // Each worker that goes to sleep raises it; so does a late producer's wake-up, in the end.
      if !progress.wait(until: deadline) { return }
    }
  }

  /// Whether nothing runs and nothing waits. True is final: outsiders are refused, and no worker did anything between
  /// the two looks at the workers: one that has woken is awake, as it runs in the round that it slept in, or has begun
  /// another round since. So the second look at their sleep comes before the one at their rounds.
  private func isDrained(_ dispatcher: DispatcherCore) -> Bool {
    let before = rounds(of: dispatcher)
    guard allSleep(dispatcher) else { return false }
    for worker in dispatcher.workers where worker.ring.count > 0 || !worker.mailbox.isEmpty { return false }
    for global in dispatcher.globals where global.injection.count > 0 { return false }
    var isEmpty = true
    dispatcher.topology.forEachQueue { queue in
      switch queue {
      case let serial as SerialCore: isEmpty = isEmpty && serial.isDrained
      case let thread as ThreadCore: isEmpty = isEmpty && thread.isDrained
      default: break
      }
    }
    return isEmpty && allSleep(dispatcher) && before == rounds(of: dispatcher)
  }

  private func allSleep(_ dispatcher: DispatcherCore) -> Bool {
    dispatcher.workers.allSatisfy { $0.sleep.load(ordering: .sequentiallyConsistent) == Worker.Sleep.sleeping }
  }

  private func rounds(of dispatcher: DispatcherCore) -> [Int] {
    dispatcher.workers.map { $0.counters.rounds.load(ordering: .sequentiallyConsistent) }
  }

  /// - Returns: the names of the threads that are held by a task, or by a hook.
  private func stopThreads(_ dispatcher: DispatcherCore, until deadline: Nanoseconds) -> [String] {
    for worker in dispatcher.workers {
      worker.custody.beginLeaving()
      worker.poller?.wake()
    }
    var stuck: [String] = []
    // Also when all is drained: the hook at a worker's end is user code.
    let end = max(deadline, monotonicNow() + Shutdown.grace)
    for worker in dispatcher.workers where !worker.thread(joinedBy: end) {
      worker.abandon()
      stuck.append(WorkerThread.name(dispatcher.name, worker.index))
    }
    return stuck
  }

  /// - Returns: how many tasks of users were left.
  private func discard(_ dispatcher: DispatcherCore) -> Int {
    var tasks = 0
    while true {
      // First, as a source that this takes out of its poller may hand over its cancel handler.
      for worker in dispatcher.workers { worker.drainIfStopped() }
      var discarded = Discarded()
      for worker in dispatcher.workers { worker.discardRing(into: &discarded) }
      for global in dispatcher.globals { global.discardAll(into: &discarded) }
      for thread in dispatcher.threads { thread.discardAll(into: &discarded) }
      // Taken under the topology lock, as a queue that is on its way out must not be referred to without it; let go of
      // afterwards, as what tasks captured is user code's, and may be the last reference to a queue.
      dispatcher.topology.forEachQueue { queue in
        (queue as? SerialCore)?.takeAll(into: &discarded)
      }
      let found = discarded.letGo()
      tasks += found.tasks
      lock.withLock { owed += found.owed }
      // What goes may leave something behind in turn: the joint handler of a descriptor's last source, say.
      if discarded.isEmpty { return tasks }
    }
  }

  // MARK: Starting again

  /// `Dispatcher.restart()`.
  func restart(_ dispatcher: DispatcherCore) throws(DispatcherError) {
    try lock.withLock { () throws(DispatcherError) in
      guard dispatcher.isStopped else { throw .running(dispatcher: dispatcher.name) }
      for worker in dispatcher.workers where worker.custody.isAbandoned { dispatcher.replace(worker) }
      for worker in dispatcher.workers { worker.prepareToStart() }
      try dispatcher.start()
      // Only now: a queue that is made before the phase changes is closed, and opened here; a start that fails leaves
      // everything closed.
      for global in dispatcher.globals { global.injection.reopen() }
      dispatcher.topology.forEachQueue { queue in
        switch queue {
        case let serial as SerialCore: serial.reopen()
        case let thread as ThreadCore: thread.reopen()
        default: break
        }
      }
    }
    for each in takeOwed() { each.queue.enqueue(each.entry, worker: nil) }
    for source in sources(of: dispatcher) { source.revive() }
  }
}

/// What a shutdown gave up, as told to the error handler.
public struct DiscardedWork: Error, Sendable, Hashable, CustomStringConvertible {
  /// Tasks that were accepted and had not run at the deadline.
  public let tasks: Int
  /// Timers that were pending.
  public let timers: Int
  /// Both numbers, in a sentence.
  public var description: String { "the shutdown discarded \(tasks) tasks and dropped \(timers) timers" }
}

/// Something that can be raised again and again, for one thread that waits for it.
final class Signal: @unchecked Sendable {
  // Sound as Sendable: `lock` guards the waiter.
  private let lock = Lock()
  private var waiter = Waiter()

  func raise() { lock.withLock { waiter }.signal() }
  func lower() { lock.withLock { waiter = Waiter() } }
  /// False if the time came first.
  func wait(until deadline: Nanoseconds) -> Bool { lock.withLock { waiter }.wait(until: deadline) }
}

/// A thread of its own for a closure.
enum Coordinator {
  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  static func start(_ run: @escaping @Sendable () -> Void) {
    let body = Unmanaged.passRetained(Body(run)).toOpaque()
    var thread = pthread_t()
    var code: CInt = 0
    // The system may be short of threads for a moment; a shutdown that was asked for must come.
    for _ in 0..<1000 {
      code = pthread_create(
        &thread, nil,
        { argument in
          WorkerThread.blockBrokenPipes()
          Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
          return nil
        }, body)
      if code == 0 {
        pthread_detach(thread)
        return
      }
      sched_yield()
    }
    fatalError("HawtDispatch: no thread could be started for a shutdown: \(errorText(code))")
  }
}
