internal import Synchronization

/// What all queues are inside. The public queue types are references to one of these.
class QueueCore: @unchecked Sendable {
  // Sound as Sendable: every field is constant, atomic, or guarded by the dispatcher's topology lock as it says.

  /// A serial core keeps its dispatcher alive by a reference of its own; root cores are owned by it, and get it after
  /// their creation, before anybody else knows them.
  private final let owner: OwnerReference
  final let label: String
  /// What most queues never need, made at the first use: a `QueueExtras`, owned.
  private final let extrasWord = Atomic<UInt>(0)
  /// The sources that target the queue, linked through `nextOfQueue`. Guarded by the topology lock.
  final var firstSource: Unmanaged<SourceBase>?
  /// The worker of an unpinned tree's sources and timers, kept by the tree's top queue (rule M9). Guarded by the topology
  /// lock.
  final var home: Int? {
    get { homeIndex < 0 ? nil : Int(homeIndex) }
    set { homeIndex = Int32(newValue ?? -1) }
  }
  private final var homeIndex: Int32 = -1
  final let targetKind: Target.Kind

  init(dispatcher: DispatcherCore?, label: String, kind: Target.Kind) {
    owner = OwnerReference(dispatcher)
    self.label = label
    targetKind = kind
  }

  /// The beginning of each use; see `DispatcherCore.enter`.
  @inline(__always)
  final func enter() -> WorkerRef? {
    // The way of a worker's own submissions, which are the most frequent: a few loads.
    if let worker = WorkerRef(), worker.isAtHome(owner.bits) { return worker }
    return enterSlowly()
  }

  @inline(never)
  private func enterSlowly() -> WorkerRef? { owner.use { $0.enter(title) } }

  /// Names it in traps.
  final var title: String { "queue '\(label)'" }

  @inline(__always) final var dispatcher: DispatcherCore { owner.value }
  /// The same, without a reference count, for which all foreign threads would contend.
  @inline(__always)
  final func withDispatcher<Value>(_ body: (DispatcherCore) -> Value) -> Value { owner.use(body) }
  final func adopt(_ dispatcher: DispatcherCore) { owner.set(dispatcher) }

  /// The extras if there are any.
  final var existingExtras: QueueExtras? {
    // Acquires what the maker initialized.
    guard let pointer = UnsafeRawPointer(bitPattern: extrasWord.load(ordering: .acquiring)) else { return nil }
    return Unmanaged<QueueExtras>.fromOpaque(pointer).takeUnretainedValue()
  }

  /// The same, without a reference count: for the way of every entry.
  @inline(__always) @discardableResult
  final func withExistingExtras<Value>(_ body: (QueueExtras) -> Value) -> Value? {
    // Once made, they stay until the queue goes.
    guard let pointer = UnsafeRawPointer(bitPattern: extrasWord.load(ordering: .acquiring)) else { return nil }
    return Unmanaged<QueueExtras>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
  }

  final var servesTimers: Bool { owner.use { $0.servesTimers } }

  /// Its timers on a clock, made at the first use. Any thread.
  @inline(__always)
  final func timers(_ clock: TimerClock) -> TimerGroup {
    withExistingExtras { $0.existingTimers(clock) }.flatMap { $0 } ?? extras.timers(clock)
  }

  /// The extras, made if there are none. Any thread.
  final var extras: QueueExtras {
    if let existing = existingExtras { return existing }
    let made = Unmanaged.passRetained(QueueExtras(queue: self))
    let (done, _) = extrasWord.compareExchange(
      expected: 0, desired: UInt(bitPattern: made.toOpaque()), ordering: .acquiringAndReleasing)
    if !done { made.release() }
    return existingExtras!
  }

  deinit {
    if let pointer = UnsafeRawPointer(bitPattern: extrasWord.load(ordering: .acquiring)) {
      Unmanaged<QueueExtras>.fromOpaque(pointer).release()
    }
  }

  /// Takes a user's entry: `Submission.accepted`, or refused and discarded.
  func submit(_ entry: Entry) -> Submission { fatalError("QueueCore.submit is abstract") }
  /// Takes an entry of the library's own, which is never refused. `worker`: the calling one, of this dispatcher.
  func enqueue(_ entry: Entry, worker: WorkerRef?) { fatalError("QueueCore.enqueue is abstract") }
  /// How many entries wait.
  var depth: Int { fatalError("QueueCore.depth is abstract") }
  /// Its place among the roots of its dispatcher: thread queues first.
  var rootIndex: Int { fatalError("queue '\(label)' is no root") }
  /// A new public reference to this queue.
  func makeHandle() -> any Queue { fatalError("QueueCore.makeHandle is abstract") }

  /// Whether the calling thread is running this queue, in any frame (rule Q7).
  final var isExecuting: Bool {
    WorkerRef()?.use { $0.isExecuting(self) } ?? false
  }
}

/// What a queue has only if somebody asks for it.
final class QueueExtras: @unchecked Sendable {
  // Sound as Sendable: `lock` guards `specifics`; the topology lock guards the rest, but for the atomics.
  let lock = Lock()
  /// It owns these extras, and so outlives them.
  private unowned(unsafe) let queue: QueueCore
  private var specifics: [ObjectIdentifier: any Sendable] = [:]
  /// The queue's timers on each clock, made at the first use: a `TimerGroup`, owned.
  private let continuousTimers = Atomic<UInt>(0)
  private let suspendingTimers = Atomic<UInt>(0)

  /// The retarget that is under way and has a completion to call. Guarded by the topology lock.
  var retarget: RetargetCompletion?
  /// At which thread queues an entry of the queue stands.
  let visits = Visits()

  /// The queue's bound, if it has one. Set before anybody else knows the queue.
  var bound: Bound?

  init(queue: QueueCore) { self.queue = queue }

  func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?) {
    // The old value is released after the lock: its deinit is user code.
    let old = lock.withLock { () -> (any Sendable)? in
      let identifier = ObjectIdentifier(key)
      let old = specifics[identifier]
      if let value {
        specifics[identifier] = SpecificValue(key: key, value: value)
      } else {
        specifics[identifier] = nil
      }
      return old
    }
    _ = old
  }

  /// Takes every value out; the queue is going.
  func takeSpecifics() -> [ObjectIdentifier: any Sendable] {
    lock.withLock {
      defer { specifics = [:] }
      return specifics
    }
  }

  func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? {
    let found = lock.withLock { specifics[ObjectIdentifier(key)] }
    return (found as? SpecificValue<Value>)?.value
  }

  /// The timers of the queue on a clock, made at the first use. Any thread.
  func timers(_ clock: TimerClock) -> TimerGroup {
    switch clock {
    case .continuous: existing(continuousTimers) ?? make(.continuous, continuousTimers)
    case .suspending: existing(suspendingTimers) ?? make(.suspending, suspendingTimers)
    }
  }

  @inline(__always)
  func existingTimers(_ clock: TimerClock) -> TimerGroup? {
    switch clock {
    case .continuous: existing(continuousTimers)
    case .suspending: existing(suspendingTimers)
    }
  }

  /// The timer groups that exist.
  var existingTimers: (TimerGroup?, TimerGroup?) { (existing(continuousTimers), existing(suspendingTimers)) }

  private func existing(_ word: borrowing Atomic<UInt>) -> TimerGroup? {
    // Acquires what the maker initialized. Once made, a group stays until the extras go.
    guard let pointer = UnsafeRawPointer(bitPattern: word.load(ordering: .acquiring)) else { return nil }
    return Unmanaged<TimerGroup>.fromOpaque(pointer).takeUnretainedValue()
  }

  private func make(_ clock: TimerClock, _ word: borrowing Atomic<UInt>) -> TimerGroup {
    let made = Unmanaged.passRetained(TimerGroup(queue: queue, clock: clock))
    let (done, _) = word.compareExchange(
      expected: 0, desired: UInt(bitPattern: made.toOpaque()), ordering: .acquiringAndReleasing)
    if !done { made.release() }
    return existing(word)!
  }

  deinit {
    for bits in [continuousTimers.load(ordering: .acquiring), suspendingTimers.load(ordering: .acquiring)] {
      if let pointer = UnsafeRawPointer(bitPattern: bits) { Unmanaged<TimerGroup>.fromOpaque(pointer).release() }
    }
  }

  /// Keeps its key alive, so that the key's address names no other key meanwhile.
  private struct SpecificValue<Value: Sendable>: Sendable {
    let key: QueueKey<Value>
    let value: Value
  }
}

/// What users gave to a queue that is gone, on its way to be released on a worker, outside of everything.
final class UserValues: Runnable {
  private let specifics: [ObjectIdentifier: any Sendable]
  private let bound: Bound?

  init(_ specifics: [ObjectIdentifier: any Sendable], _ bound: Bound?) {
    self.specifics = specifics
    self.bound = bound
  }

  override func execute(on worker: Worker, ticket: UInt) {}
}
