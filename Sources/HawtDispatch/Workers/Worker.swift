internal import CLinux
internal import Glibc
internal import Polling
internal import Synchronization

/// One worker: a thread, a poller, a thread queue, timers and a run queue for each priority.
///
/// A round (`turn`) is: under the lease, bring registrations into line, expire timers, wait for readiness (only as long
/// as there is no work) and turn what came into entries; then, without the lease, run entries for a budget of time.
/// `turn` knows nothing of threads: a thread calls it in a loop.
///
///     awake ──no work──▶ sleeping ──returns from the wait──▶ awake        `sleep`; modelled in
///                           │                                  ▲          Conformance/Models/worker.pml
///                           └──a submitter──▶ notified ────────┘          (one write ends one sleep)
///
/// The order that keeps work from being lost (all sequentially consistent): a submitter publishes, *then* reads
/// `sleep`; the worker announces its sleep, *then* looks at every place where work may be.
final class Worker: @unchecked Sendable {
  // Sound as Sendable: atomics are anybody's; `local` is touched by the worker's own thread only; what is marked
  // "lease" by whoever holds the lease only.

  enum Sleep {
    static let awake: UInt8 = 0
    static let sleeping: UInt8 = 1
    static let notified: UInt8 = 2
    /// Notified to look for work that any worker may run; counted as a searcher by who woke it.
    static let notifiedToSearch: UInt8 = 3
  }

  /// What it has done, for users.
  var metrics: WorkerMetrics {
    let poller = poller
    return WorkerMetrics(
      worker: index, registrations: poller?.registrationCount ?? 0,
      armedDirections: poller?.armedDirectionCount ?? 0,
      leaseTakeovers: counters.takeovers.load(ordering: .relaxed), waits: Int(clamping: poller?.waitNumber ?? 0),
      wakeUps: Int(clamping: poller?.wakeUpCount ?? 0), rounds: counters.rounds.load(ordering: .relaxed),
      steals: counters.steals.load(ordering: .relaxed),
      migrationsIn: counters.migrationsIn.load(ordering: .relaxed),
      migrationsOut: counters.migrationsOut.load(ordering: .relaxed))
  }

  /// What only the worker's thread touches. Behind a pointer, because a class's properties cost an exclusivity check at
  /// each access.
  struct Local: ~Copyable {
    var chunks = ChunkCache()
    /// The queues that are running on this thread, outermost first.
    var frames: UnsafeMutablePointer<Unmanaged<QueueCore>>
    var frameCount = 0
    /// The object that is being executed, as bits: its entry's reference may be moved to the entry of a re-post.
    var executing: UInt = 0
    /// The object that was executed last, and how many references to it are still to be let go of.
    var owed: UInt = 0
    var owedCount: CUnsignedInt = 0
    /// Tasks left until the clock is looked at.
    var countdown = 0
    /// When the present queue's, and the round's, time is over.
    var deadline: Nanoseconds = 0
    /// Whether it is.
    var isSpent = false
    var isSearching = false
    /// Where the next entry of default priority is looked for first, so that none of the three places starves.
    var turnOfPlace: UInt8 = 0
    /// Whether the own run queue has its turn as a part of what was shared.
    var isTurnOfShared = false
    var lastPeerCheck: Nanoseconds = 0
    var lastPoll: Nanoseconds = 0
  }

  private let owner = OwnerReference()
  /// The dispatcher's: zero in a forked child.
  private let forkWord: UnsafePointer<UInt64>
  let index: Int
  /// The queue of this worker; outlives it (rule L4).
  unowned(unsafe) let thread: ThreadCore
  /// The same, for what is done per task: without a reference count.
  let ownQueue: Unmanaged<ThreadCore>
  let local: UnsafeMutablePointer<Local>
  let sleep = Atomic<UInt8>(Sleep.awake)
  /// Set when a queue that runs here was retargeted or suspended: drains look at it before each task.
  let interruptWord = Atomic<Bool>(false)
  let lease = Lease()
  let mailbox = Mailbox()
  let custody = Custody()
  let counters = WorkerCounters()
  /// When the present spell of user code began, for peers that look for stuck workers.
  let busySince = Atomic<Nanoseconds>(0)
  /// Whether a thread calls `turn`.
  let isStarted = Atomic<Bool>(false)
  /// The own run queue, of default priority.
  let ring = RunRing()
  /// What is asked often, taken from the dispatcher once.
  let wakePolicy: WakePolicy
  let shares: PriorityShares
  let injections: (Injection, Injection, Injection)
  let queueBudget: Nanoseconds
  let tasksBetweenClockChecks: Int
  /// How often a worker with work at hand looks at its poller.
  let pollInterval: Nanoseconds
  /// How long a worker may be in user code before its peers serve its poller (rule Q13).
  let stuckAfter: Nanoseconds
  /// How long a worker that finds nothing goes on looking before it sleeps.
  let idleSpin: Nanoseconds
  /// How long an idle worker sleeps at most while another is in user code.
  var watchInterval: Nanoseconds { stuckAfter &* 2 }
  let roots: (Unmanaged<QueueCore>, Unmanaged<QueueCore>, Unmanaged<QueueCore>)

  /// The thread and what tells that it has ended. Touched by who starts and stops the dispatcher, one at a time.
  private var running: (thread: pthread_t, ended: Waiter)?

  /// Lease: the poller while the worker is started, its registrations, and its timers.
  /// Anybody may ask who it is: a poller lives as long as the dispatcher, and passes from worker to worker.
  var poller: Poller? {
    get {
      // Acquires the poller.
      guard let pointer = UnsafeRawPointer(bitPattern: pollerWord.load(ordering: .acquiring)) else { return nil }
      return Unmanaged<Poller>.fromOpaque(pointer).takeUnretainedValue()
    }
    set {
      let new = newValue.map { UInt(bitPattern: Unmanaged.passRetained($0).toOpaque()) } ?? 0
      let old = pollerWord.exchange(new, ordering: .acquiringAndReleasing)
      if let pointer = UnsafeRawPointer(bitPattern: old) { Unmanaged<Poller>.fromOpaque(pointer).release() }
    }
  }
  /// A `Poller`, owned.
  private let pollerWord = Atomic<UInt>(0)
  /// Behind a pointer for `local`'s reason.
  let timers: UnsafeMutablePointer<WorkerTimers>

  init(
    thread: ThreadCore, globals: [GlobalCore], wakePolicy: WakePolicy, shares: PriorityShares, settings: Settings,
    forkWord: UnsafePointer<UInt64>
  ) {
    self.forkWord = forkWord
    self.thread = thread
    ownQueue = .passUnretained(thread)
    self.shares = shares
    self.wakePolicy = wakePolicy
    injections = (globals[0].injection, globals[1].injection, globals[2].injection)
    roots = (.passUnretained(globals[0]), .passUnretained(globals[1]), .passUnretained(globals[2]))
    queueBudget = settings.queueBudget
    tasksBetweenClockChecks = settings.tasksBetweenClockChecks
    pollInterval = settings.pollInterval
    stuckAfter = settings.stuckAfter
    idleSpin = settings.idleSpin
    index = thread.index
    local = .allocate(capacity: 1)
    let frames = UnsafeMutablePointer<Unmanaged<QueueCore>>.allocate(capacity: settings.maximumTargetDepth * 4)
    local.initialize(to: Local(frames: frames))
    timers = .allocate(capacity: 1)
    timers.initialize(to: WorkerTimers())
  }

  deinit {
    poller = nil
    timers.pointee.continuous.removeAll()
    timers.pointee.suspending.removeAll()
    timers.deinitialize(count: 1)
    timers.deallocate()
    local.pointee.frames.deallocate()
    local.deinitialize(count: 1)
    local.deallocate()
  }

  /// Before anybody else knows the worker.
  func adopt(_ dispatcher: DispatcherCore) { owner.set(dispatcher) }
  @inline(__always) var dispatcher: DispatcherCore { owner.value }
  /// The same, without a reference count: for what every round does.
  @inline(__always)
  func withDispatcher<Value>(_ body: (DispatcherCore) -> Value) -> Value { owner.use(body) }

  /// The worker that the calling thread is, of whatever dispatcher.
  @inline(__always)
  static var current: Worker? {
    guard let pointer = hawt_get_current_worker() else { return nil }
    return Unmanaged<Worker>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// Whether it is one of `dispatcher`'s. A thread that was left behind by a shutdown is a stranger: what it submits is
  /// from outside.
  @inline(__always)
  func serves(_ dispatcher: DispatcherCore) -> Bool { owner.isSame(as: dispatcher) && !custody.isAbandoned }

  @inline(__always)
  func isAtHome(_ owner: UInt) -> Bool {
    self.owner.bits == owner && !custody.isAbandoned && !isForked
  }

  @inline(__always) var isForked: Bool { forkWord.pointee == 0 }

  /// Itself as one who pushes, and will look for what it pushed; nil for a thread that was left behind, whose pushes come
  /// from outside.
  @inline(__always) var pusher: WorkerRef? { custody.isAbandoned ? nil : ref }

  /// References that are not to go before the thread has ended; nil after that.
  private var kept: [Unmanaged<Runnable>]? = []
  /// Guards `kept`.
  private let keeping = Lock()

  /// The worker in whose place this one was put, as its thread was left behind.
  var predecessor: Worker?

  /// Takes over a reference that a task which holds the thread, or that of a predecessor, may need. Any thread.
  func keepUntilItEnds(_ object: Unmanaged<Runnable>) {
    var holder: Worker? = self
    while let worker = holder {
      worker.keeping.withLock { if worker.kept != nil { worker.kept?.append(object.retain()) } }
      holder = worker.predecessor
    }
    object.release()
  }

  /// The thread ends.
  func letGoOfKept() {
    let due = keeping.withLock { () -> [Unmanaged<Runnable>]? in
      defer { kept = nil }
      return kept
    }
    for object in due ?? [] { object.release() }
  }

  /// Itself, without a reference count.
  @inline(__always) var ref: WorkerRef { WorkerRef(self) }

  @inline(__always)
  func injection(_ level: Int) -> Injection {
    level == 1 ? injections.1 : level == 0 ? injections.0 : injections.2
  }

  // MARK: The thread

  func setThread(_ thread: pthread_t, _ ended: Waiter) { running = (thread, ended) }

  /// Joins the thread if it ends by `deadline` (nil: waits as long as it takes); leaves it to itself otherwise.
  /// - Returns: whether it has ended.
  @discardableResult
  func thread(joinedBy deadline: Nanoseconds?) -> Bool {
    guard let (thread, ended) = running else { return true }
    running = nil
    if let deadline, !ended.wait(until: deadline) {
      // Only user code may hold a thread up; one that is merely short of processor time is waited for.
      guard !isInUserCode else {
        pthread_detach(thread)
        return false
      }
    }
    pthread_join(thread, nil)
    return true
  }

  /// Brings what was posted up to now to an end; the thread has ended.
  func drainIfStopped() {
    guard lease.tryTake() else { return }
    drainMailbox()
    freeLease()
  }

  func prepareToStart() {
    keeping.withLock { kept = [] }
    custody.reset()
    sleep.store(Sleep.awake, ordering: .sequentiallyConsistent)
    interruptWord.store(false, ordering: .sequentiallyConsistent)
  }

  /// The number of the poller's current wait; nil if the worker's thread was left behind, and its poller given to another.
  @inline(__always)
  var waitNumber: UInt64? {
    // As `poller`, without a reference count.
    guard let pointer = UnsafeRawPointer(bitPattern: pollerWord.load(ordering: .acquiring)) else { return nil }
    return Unmanaged<Poller>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0.waitNumber }
  }

  // MARK: Frames (rule Q7)

  @inline(__always)
  func push(frame queue: Unmanaged<QueueCore>) {
    local.pointee.frames[local.pointee.frameCount] = queue
    local.pointee.frameCount &+= 1
  }

  @inline(__always)
  func isRunning(_ queue: QueueCore) -> Bool {
    let count = local.pointee.frameCount
    return count > 0 && local.pointee.frames[count &- 1].toOpaque() == Unmanaged.passUnretained(queue).toOpaque()
  }

  @inline(__always)
  func popFrame() { local.pointee.frameCount &-= 1 }

  @inline(__always)
  func isExecuting(_ queue: QueueCore) -> Bool {
    // Innermost first, as that is what is asked for most.
    var index = local.pointee.frameCount
    let frames = local.pointee.frames
    let wanted = Unmanaged.passUnretained(queue).toOpaque()
    while index > 0 {
      index &-= 1
      if frames[index].toOpaque() == wanted { return true }
    }
    return false
  }

  /// The innermost queue that is running on this thread.
  var currentQueue: QueueCore? {
    let count = local.pointee.frameCount
    return count == 0 ? nil : local.pointee.frames[count - 1].takeUnretainedValue()
  }

  // MARK: Chunks

  func takeChunk() -> Chunk { local.pointee.chunks.take() }
  func giveChunk(_ chunk: Chunk) { local.pointee.chunks.give(chunk) }
}
