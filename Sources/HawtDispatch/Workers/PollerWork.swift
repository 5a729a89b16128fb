internal import Synchronization

/// Something that a worker's poller must be brought into line with: a source's registration, a queue's timers.
///
/// Level-style: whoever changes what is desired calls `requestReconcile`; `reconcile(on:)` then runs under a worker's
/// lease, compares what is desired with what is, and acts. It runs at least once after each request, never twice at
/// once, and travels from worker to worker through their mailboxes. Modelled in `Conformance/Models/source.pml`.
///
///     idle ──request──▶ busy, dirty ──pass begins──▶ busy ──nothing left to do──▶ idle
///                            ▲                         │
///                            └────────request──────────┘
class PollerWork: Runnable, @unchecked Sendable {
  // Sound as Sendable: constants and atomics; `completions` is guarded by the topology lock, `nextInMailbox` belongs
  // to whoever made the work busy, and then to the mailbox.

  private static let idle: UInt8 = 0
  private static let busy: UInt8 = 1
  private static let dirty: UInt8 = 2

  // A source's memory counts: small fields stand together.

  private let progress = Atomic<UInt8>(PollerWork.idle)
  private let hasCompletions = Atomic<Bool>(false)
  /// The worker that should have it, or -1 for none. Written under the topology lock.
  let home: AtomicWorkerIndex
  private var completions: [RetargetCompletion] = []
  /// The link of the mailbox that it is in.
  var nextInMailbox: UInt = 0

  init(home: Int) { self.home = AtomicWorkerIndex(home) }

  var dispatcher: DispatcherCore { fatalError("PollerWork.dispatcher is abstract") }

  /// Where a pass has to begin: the worker whose poller has it now, or else the one that should.
  var placement: Int { fatalError("PollerWork.placement is abstract") }

  /// One pass, under the lease of `worker`.
  /// - Returns: the worker under whose lease it has to go on, or nil if nothing is left to do.
  func pass(on worker: Worker) -> Int? { fatalError("PollerWork.pass is abstract") }

  /// What follows when nothing is left to do, without a promise about the lease.
  func settled() {}

  /// Whether completions have to wait, as something still runs at the old place; a request follows when it has ended.
  var holdsCompletions: Bool { false }

  /// Whether a pass is due or under way.
  final var isBusy: Bool { progress.load(ordering: .sequentiallyConsistent) != PollerWork.idle }

  /// Calls `completion` in when the change that was just made is in effect. The topology lock is held, and a request
  /// follows.
  final func add(_ completion: RetargetCompletion) {
    completions.append(completion)
    hasCompletions.store(true, ordering: .releasing)
  }

  /// Sees to it that a pass begins after this call. Any thread; never waits.
  final func requestReconcile(_ worker: WorkerRef?) {
    // Acquires and releases: the pass must see what the caller changed, and the caller's next request this pass.
    let old = progress.bitwiseOr(
      PollerWork.busy | PollerWork.dirty, ordering: .acquiringAndReleasing
    ).oldValue
    guard old & PollerWork.busy == 0 else { return }
    dispatcher.workers[max(0, placement)].post(self)
  }

  /// Runs passes under the lease of `worker` until nothing is left to do, or until it has to go on elsewhere.
  final func reconcile(on worker: Worker) {
    // A worker in whose place another was put has no poller any more.
    let present = dispatcher.workers[worker.index]
    guard present === worker else { return present.post(self) }
    var due: [RetargetCompletion] = []
    while true {
      progress.bitwiseAnd(~PollerWork.dirty, ordering: .acquiringAndReleasing)
      // Looked at before the pass reads what is desired: what was asked before is in effect after it.
      due = hasCompletions.load(ordering: .acquiring) ? waitingCompletions : []
      if let next = pass(on: worker), next != worker.index { return dispatcher.workers[next].post(self) }
      let (idle, _) = progress.compareExchange(
        expected: PollerWork.busy, desired: PollerWork.idle, ordering: .acquiringAndReleasing)
      if idle { break }
    }
    settled()
    if !due.isEmpty { fulfil(due) }
  }

  private var waitingCompletions: [RetargetCompletion] { dispatcher.topology.lock.withLock { completions } }

  /// Calls those that nothing has overtaken meanwhile.
  private func fulfil(_ due: [RetargetCompletion]) {
    // Asked before they are taken out: what ends now is followed by a request, which finds them.
    if holdsCompletions { return }
    let reached = dispatcher.topology.lock.withLock { () -> [RetargetCompletion] in
      let reached = due.filter { one in completions.contains { $0 === one } }
      completions.removeAll { one in due.contains { $0 === one } }
      if completions.isEmpty { hasCompletions.store(false, ordering: .relaxed) }
      return reached
    }
    for completion in reached { completion.fulfil() }
  }

  /// Takes out the completions that a later retarget of a source overtakes. The topology lock is held.
  final func takeOvertaken() -> [RetargetCompletion] {
    guard hasCompletions.load(ordering: .relaxed) else { return [] }
    let overtaken = completions.filter(\.isOfSource)
    completions.removeAll(where: \.isOfSource)
    return overtaken
  }
}
