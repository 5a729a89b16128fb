internal import CLinux
internal import Glibc
internal import Polling
internal import Synchronization

/// A dispatcher inside: the workers, the root queues, and what they share.
///
/// Public references (dispatchers, queues, sources) count as users; when the last goes, it shuts down by itself (rule
/// L5). References inside keep the memory alive: each serial queue, source, thread and running shutdown holds one.
///
///     running ──shutdown──▶ closing ──drained, or the deadline passed──▶ stopped ──restart──▶ running
final class DispatcherCore: @unchecked Sendable {
  // Sound as Sendable: constants and atomics; `retired` is guarded by `shutdown.lock`.

  enum Phase {
    static let stopped: UInt8 = 0
    static let running: UInt8 = 1
    static let closing: UInt8 = 2
  }

  let settings: Settings
  let threads: [ThreadCore]
  let globals: [GlobalCore]
  let workers: WorkerTable
  /// Every worker there ever was: those that were replaced stay readable.
  private var retired: [Worker]
  let topology: Topology
  let wakePolicy: WakePolicy
  private let shares: PriorityShares
  let watch = Watch()
  let shutdown = Shutdown()
  private let forkGuard: ForkGuard
  private let phase = Atomic<UInt8>(Phase.stopped)
  private let users = Atomic<Int>(0)

  init(_ configuration: Configuration) throws(DispatcherError) {
    settings = try Settings(configuration)
    forkGuard = try ForkGuard()
    let name = settings.name
    let seed = RootSeed(name: name)
    threads = seed.makeThreads(settings.workers)
    globals = seed.makeGlobals()
    let policy = WakePolicy(workers: settings.workers)
    wakePolicy = policy
    let allShares = PriorityShares(settings.priorityWeights)
    shares = allShares
    let (all, complete, forkWord) = (globals, settings, forkGuard.word)
    retired = threads.map {
      Worker(
        thread: $0, globals: all, wakePolicy: policy, shares: allShares, settings: complete, forkWord: forkWord)
    }
    workers = WorkerTable(retired)
    topology = Topology(workers: settings.workers, maximumDepth: settings.maximumTargetDepth)
    for queue in roots { queue.adopt(self) }
    for worker in retired { worker.adopt(self) }
    topology.adopt(self)
    wakePolicy.adopt(self)
    watch.adopt(self)
    for worker in workers {
      do throws(BackendError) { worker.poller = try settings.backend.makePoller() } catch { throw .backend(error) }
    }
    try start()
  }

  deinit {
    workers.deallocate()
  }

  var name: String { settings.name }
  var roots: [QueueCore] { threads as [QueueCore] + globals as [QueueCore] }

  // MARK: Entering

  /// The beginning of each use: traps in a forked child (rule S9), and says which of the dispatcher's workers the
  /// caller is.
  ///
  /// - Parameter used: what of the dispatcher's is used, for the trap; nil: the dispatcher itself.
  @inline(__always)
  func enter(_ used: @autoclosure () -> String? = nil) -> WorkerRef? {
    if forkGuard.isForked { trapForked(used()) }
    return WorkerRef(of: self)
  }

  /// The same, for who need not know the worker.
  @inline(__always)
  func refuseInChild(_ used: @autoclosure () -> String?) {
    if forkGuard.isForked { trapForked(used()) }
  }

  var isForked: Bool { forkGuard.isForked }

  @inline(never)
  func trapForked(_ used: String?) -> Never {
    let what = used.map { "\($0) of dispatcher '\(name)'" } ?? "dispatcher '\(name)'"
    fatalError("\(what) was used in a forked child; it belongs to the parent: make a dispatcher in the child")
  }

  // MARK: Phases

  var isRunning: Bool { phase.load(ordering: .sequentiallyConsistent) == Phase.running }
  var isClosing: Bool { phase.load(ordering: .sequentiallyConsistent) == Phase.closing }
  var isStopped: Bool { phase.load(ordering: .sequentiallyConsistent) == Phase.stopped }
  /// Whether sources are to be registered, and timers armed.
  var servesSources: Bool { isRunning }
  var servesTimers: Bool { isRunning }
  func enterPhase(_ new: UInt8) { phase.store(new, ordering: .sequentiallyConsistent) }

  /// Starts a thread for each worker. All or none.
  func start() throws(DispatcherError) {
    enterPhase(Phase.running)
    for worker in workers {
      do throws(DispatcherError) { try WorkerThread.start(worker, of: self) } catch {
        enterPhase(Phase.stopped)
        for started in workers.prefix(worker.index) {
          started.custody.beginLeaving()
          started.poller?.wake()
          started.thread(joinedBy: nil)
        }
        for started in workers { started.custody.reset() }
        throw error
      }
    }
  }

  /// Puts a fresh worker in the place of one whose thread was left behind. Under `shutdown.lock`, stopped.
  func replace(_ worker: Worker) {
    let fresh = Worker(
      thread: worker.thread, globals: globals, wakePolicy: wakePolicy, shares: shares, settings: settings,
      forkWord: forkGuard.word)
    fresh.adopt(self)
    fresh.predecessor = worker
    fresh.counters.take(over: worker.counters)
    retired.append(fresh)
    // The old one has no poller any more, whoever takes its lease; what was posted to it goes on to the new one.
    worker.lease.comeBack()
    fresh.poller = worker.poller
    workers.replace(worker.index, with: fresh)
    worker.poller = nil
    worker.freeLease()
  }

  // MARK: Work for any worker

  /// Whether something waits that any worker may run. For a worker that has announced its sleep.
  var hasUnpinnedWork: Bool {
    if hasSharedWork { return true }
    guard workers.count > 1 else { return false }
    // A single entry is its owner's; a second is for whoever is free.
    return workers.contains { $0.ring.count > 1 }
  }

  /// Whether something waits in the queues that all workers share.
  var hasSharedWork: Bool {
    globals[0].injection.count > 0 || globals[1].injection.count > 0 || globals[2].injection.count > 0
  }

  // MARK: Queues

  func makeSerialQueue(
    _ label: String, _ target: QueueCore, _ limit: QueueLimit?
  ) throws(DispatcherError) -> SerialQueue {
    _ = enter(target.title)
    let queue = SerialCore(dispatcher: self, label: label, target: target, limit: limit)
    try topology.link(queue, below: target)
    return SerialQueue(queue)
  }

  // MARK: Errors (rule Q10)

  func report(_ error: any Error, _ kind: TaskFailure.Kind, on queue: QueueCore?) {
    settings.errorHandler(TaskFailure(error: error, queueLabel: queue?.label ?? "", kind: kind))
  }

  // MARK: Users (rule L5)

  func addUser() { users.wrappingAdd(1, ordering: .relaxed) }

  func dropUser() {
    // Releases what this user did to whoever shuts down, and acquires what the others did.
    guard users.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
    if isForked { return abandonInChild() }
    shutdown.begin(self, deadline: nil, completion: nil)
  }

  var hasUsers: Bool { users.load(ordering: .acquiring) > 0 }

  /// In a forked child: closes the descriptors and leaves everything else as it is, so that nothing of the parent's is
  /// undone (rule S9).
  private func abandonInChild() {
    for worker in workers { worker.poller?.abandonAfterFork() }
  }
}

/// Makes the root queues, which know their dispatcher only afterwards.
private struct RootSeed {
  let name: String
  func makeThreads(_ count: Int) -> [ThreadCore] { (0..<count).map { ThreadCore(dispatcherName: name, index: $0) } }
  func makeGlobals() -> [GlobalCore] { Priority.allCases.map { GlobalCore(dispatcherName: name, priority: $0) } }
}
