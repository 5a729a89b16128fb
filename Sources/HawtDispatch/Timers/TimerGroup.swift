internal import Synchronization

/// The timers of one queue on one clock.
///
/// Their own lock guards them, so that arming and cancelling touch no worker; the group as a whole stands in the timer
/// heap of one worker, its home, by its earliest deadline, and moves there when the queue does (rule M4). Due timers
/// are handed to the queue under the lock, so a queue's timers arrive in order whoever serves the worker (rule T1).
///
/// A one-shot that is cancelled among many others is left in its place without the lock, and swept out later. That the queue
/// is let go of all the same when no armed timer is left is modelled in `Conformance/Models/timers.pml`.
final class TimerGroup: PollerWork, LeewayElement, @unchecked Sendable {
  // Sound as Sendable: `lock` guards `armed`; the lease of the worker that has the group guards `heapIndex`,
  // `leewayMark` and `worker`.

  /// Owns the group, and is kept alive by armed timers; not to be touched when there are none.
  private let queue: Unmanaged<QueueCore>
  /// Kept alive by the queue, and by what calls: a worker of it, or a user of the queue or of a handle.
  unowned(unsafe) private let owner: DispatcherCore
  let clock: TimerClock
  private let lock = Lock()

  /// What the lock guards. Behind a pointer, because a class's properties cost an exclusivity check at each access.
  private struct Armed: ~Copyable {
    var timers = ArmedTimers()
    var armings: UInt64 = 0
    /// Armed timers keep their queue alive: whether they do now.
    var holdsQueue = false
  }
  private let armed = UnsafeMutablePointer<Armed>.allocate(capacity: 1)
  /// How many timers `armed` has. Written under the lock.
  let count = Atomic<Int>(0)
  /// How many of them are cancelled, and have stayed: who cancels one raises it, who takes one out lowers it, under the lock.
  /// Below zero while one is out and not yet counted.
  private let cancelledCount = Atomic<Int>(0)
  /// Among so few, a timer is taken out when it is cancelled.
  private static let few = 64
  /// At how many places who takes a timer out looks for what is to be swept out, if that is too many.
  private static let sweep = 16
  /// At how many places anybody looks at once: the worker goes on in its next round, as others wait meanwhile (rule Q4).
  private static let slice = 1024

  /// The time by which the worker will look at the group, or the end of time.
  private let published = Atomic<Nanoseconds>(.max)

  var heapIndex: Int32 = -1
  var leewayMark: LeewayMark?
  /// The worker in whose heap the group stands, or -1. Written by who reconciles.
  private let worker = Atomic<Int>(-1)

  init(queue: QueueCore, clock: TimerClock) {
    self.queue = .passUnretained(queue)
    owner = queue.dispatcher
    self.clock = clock
    armed.initialize(to: Armed())
    super.init(home: -1)
  }

  deinit {
    armed.deinitialize(count: 1)
    armed.deallocate()
  }

  override var dispatcher: DispatcherCore { owner }

  override var placement: Int {
    let at = worker.load(ordering: .relaxed)
    return at >= 0 ? at : home.current
  }

  /// Arms a timer, or arms it anew. It is told at its deadline if the worker is awake then, and `leeway` later at most.
  /// - Returns: false if the dispatcher takes no timers (rule L3).
  @discardableResult
  func arm(_ timer: ArmedTimer, at deadline: Nanoseconds, leeway: Nanoseconds) -> Bool {
    if home.relaxed < 0 { dispatcher.topology.giveHome(to: self, of: queue.takeUnretainedValue()) }
    let mustTell = lock.withLock { () -> Bool? in
      // Under the lock that `dropAll` takes after the phase has changed: a timer is refused or dropped, never lost.
      guard dispatcher.servesTimers else { return nil }
      armed.pointee.armings += 1
      timer.leeway = leeway
      let latest = TimerGroup.sum(deadline, leeway)
      armed.pointee.timers.place(timer, .init(time: deadline, order: armed.pointee.armings), latest: latest)
      // Relaxed, as nothing rests on who sees that there are more.
      count.store(armed.pointee.timers.count, ordering: .relaxed)
      if !armed.pointee.holdsQueue {
        armed.pointee.holdsQueue = true
        _ = queue.retain()
      }
      // A later deadline tells nobody: the worker finds out when it looks (rule T4).
      guard latest < published.load(ordering: .relaxed) else { return false }
      published.store(latest, ordering: .relaxed)
      return true
    }
    if mustTell == true { requestReconcile(WorkerRef(of: dispatcher)) }
    return mustTell != nil
  }

  private static func sum(_ deadline: Nanoseconds, _ leeway: Nanoseconds) -> Nanoseconds {
    let (sum, overflow) = deadline.addingReportingOverflow(leeway)
    return overflow ? .max : min(sum, max(deadline, Nanoseconds(Int64.max)))
  }

  /// Takes a timer out, if it is still in. The worker is not told: it looks once too early, at most.
  func disarm(_ timer: ArmedTimer) {
    let settled = lock.withLock { () -> Settled in
      if timer.heapIndex >= 0 { armed.pointee.timers.remove(timer) }
      return settle(sweeping: TimerGroup.sweep)
    }
    finish(settled)
  }

  /// Of a one-shot timer whose state says that it is cancelled. Among many it stays where it is, which saves what costs most
  /// of taking it out, the cache misses; it is swept out when there are twice as many of its like as of the others.
  func leaveCancelled(_ timer: ArmedTimer) {
    let stays = timer.isExact && count.load(ordering: .relaxed) > TimerGroup.few
    if stays {
      // Sequentially consistent, both: whoever takes timers out publishes how many are left, *then* asks how many of them are
      // cancelled. One of the two finds out that nothing else is left.
      let cancelled = cancelledCount.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
      guard TimerGroup.isTooMany(cancelled, of: count.load(ordering: .sequentiallyConsistent)) else { return }
    }
    let settled = lock.withLock { () -> Settled in
      if !stays {
        if timer.heapIndex >= 0 {
          armed.pointee.timers.remove(timer)
        } else {
          // Somebody has, after its state was changed and before it was counted.
          cancelledCount.wrappingAdd(1, ordering: .relaxed)
        }
      }
      return settle(sweeping: TimerGroup.sweep)
    }
    finish(settled)
  }

  /// What is to be done without the lock, after timers were taken out.
  private struct Settled {
    /// None is left: the queue is released.
    var lastOfQueue = false
    /// Those that are left are all cancelled, and would keep the queue until they are due: the worker sweeps them out.
    var goesOn = false
  }

  private func finish(_ settled: Settled) {
    if settled.goesOn { requestReconcile(WorkerRef(of: dispatcher)) }
    if settled.lastOfQueue { queue.release() }
  }

  /// After timers were taken out; the lock is held.
  private func settle(sweeping places: Int) -> Settled {
    // See `leaveCancelled`: each time that timers were taken out, the number of the cancelled is asked after this.
    count.store(armed.pointee.timers.count, ordering: .sequentiallyConsistent)
    var settled = Settled()
    if cancelledCount.load(ordering: .sequentiallyConsistent) > 0 { settled.goesOn = sweep(places) }
    if armed.pointee.timers.isEmpty, armed.pointee.holdsQueue {
      armed.pointee.holdsQueue = false
      settled.lastOfQueue = true
    }
    return settled
  }

  @inline(__always)
  private static func isTooMany(_ cancelled: Int, of all: Int) -> Bool { 3 * cancelled >= 2 * all }

  /// The lock is held.
  /// - Returns: whether all that is left is cancelled.
  @inline(never)
  private func sweep(_ wanted: Int) -> Bool {
    // Twice if all are cancelled: the first time may come to the end of an earlier sweep.
    for _ in 0..<2 {
      let cancelled = cancelledCount.load(ordering: .sequentiallyConsistent)
      let all = armed.pointee.timers.count
      guard all > 0, TimerGroup.isTooMany(cancelled, of: all) else { return false }
      let swept = armed.pointee.timers.sweep(cancelled < all ? min(wanted, TimerGroup.slice) : TimerGroup.slice)
      count.store(armed.pointee.timers.count, ordering: .sequentiallyConsistent)
      // Lowered last: who cancels one meanwhile compares with what was too many.
      noteDropped(swept)
      if cancelled < all { break }
    }
    let left = armed.pointee.timers.count
    return left > 0 && cancelledCount.load(ordering: .sequentiallyConsistent) >= left
  }

  /// The lock is held, or the timers were taken out under it.
  private func noteDropped(_ cancelled: Int) {
    // Relaxed: whoever lowers it asks for it again, once the count is published.
    if cancelled > 0 { cancelledCount.wrappingSubtract(cancelled, ordering: .relaxed) }
  }

  /// Hands the due timers to the queue. Under the lease of the worker that has the group.
  /// - Returns: when the next are due.
  func fire(until now: Nanoseconds, _ worker: WorkerRef?) -> TimerPoint? {
    let (next, settled) = lock.withLock { () -> (TimerPoint?, Settled) in
      var fallen = 0
      while let timer = armed.pointee.timers.takeFirst(until: now) {
        fallen += 1
        // Under the lock: nobody arms or cancels between two of them, so they arrive in order.
        switch timer._withUnsafeGuaranteedRef({ $0.fall(due: now, worker) }) {
        case .due:
          // Alive until it is given back below: it is held as long as timers are armed. The reference moves to the entry.
          queue._withUnsafeGuaranteedRef { $0.enqueue(Entry(owning: timer), worker: worker) }
        case .again(let time): armAgain(timer.takeRetainedValue(), at: time)
        case .over: timer.release()
        case .cancelled:
          timer.release()
          noteDropped(1)
        }
      }
      return publishNext(after: now, sweeping: TimerGroup.sweep * fallen)
    }
    // The caller keeps the group alive, which the queue may have owned alone.
    if settled.lastOfQueue { queue.release() }
    return next
  }

  /// When the worker will have to look again: at once, if what is first is cancelled and more than can be swept out at a time;
  /// and what `settle` says. The lock is held.
  private func publishNext(after now: Nanoseconds, sweeping places: Int) -> (TimerPoint?, Settled) {
    noteDropped(armed.pointee.timers.dropCancelledFirst(atMost: TimerGroup.slice / 8))
    let settled = settle(sweeping: places)
    let isSwept = !settled.goesOn && !armed.pointee.timers.isFirstCancelled
    let next = isSwept ? armed.pointee.timers.earliest : TimerPoint(due: now + 1, latest: now + 1)
    published.store(next?.latest ?? .max, ordering: .relaxed)
    return (next, settled)
  }

  /// The lock is held.
  private func armAgain(_ timer: ArmedTimer, at time: Nanoseconds) {
    armed.pointee.armings += 1
    let latest = TimerGroup.sum(time, timer.leeway)
    armed.pointee.timers.place(timer, .init(time: time, order: armed.pointee.armings), latest: latest)
  }

  override func pass(on worker: Worker) -> Int? {
    let desired = dispatcher.servesTimers ? home.current : -1
    let at = self.worker.load(ordering: .relaxed)
    if at >= 0, at != desired {
      guard at == worker.index else { return at }
      place(on: worker, nil)
      self.worker.store(-1, ordering: .relaxed)
    }
    guard desired >= 0 else { return nil }
    guard desired == worker.index else { return desired }
    let now = clock.now
    let (next, settled) = lock.withLock { publishNext(after: now, sweeping: TimerGroup.sweep) }
    place(on: worker, next)
    self.worker.store(next == nil ? -1 : worker.index, ordering: .relaxed)
    // Last: if the queue goes, the group is at its place and can be told to leave it.
    if settled.lastOfQueue { queue.release() }
    return nil
  }

  private func place(on worker: Worker, _ point: TimerPoint?) {
    switch clock {
    case .continuous: worker.timers.pointee.continuous.place(self, point)
    case .suspending: worker.timers.pointee.suspending.place(self, point)
    }
  }

  /// The queue is going, without timers: takes the group out of the worker's heap, where it would stand until what was its
  /// earliest deadline.
  func retire() {
    home.store(-1)
    if worker.load(ordering: .relaxed) >= 0 { requestReconcile(WorkerRef(of: dispatcher)) }
  }

  /// Drops every timer (rule L3).
  /// - Returns: how many.
  func dropAll() -> Int {
    var dropped: [ArmedTimer] = []
    let settled = lock.withLock { () -> Settled in
      armed.pointee.timers.removeAll { dropped.append($0) }
      published.store(.max, ordering: .relaxed)
      return settle(sweeping: 0)
    }
    // Without the lock: what a timer captured may arm another when it goes.
    let count = dropped.reduce(0) { $0 + ($1.drop() ? 1 : 0) }
    noteDropped(dropped.count - count)
    if settled.lastOfQueue { queue.release() }
    return count
  }
}

/// A timer that stands in a group. All of it belongs to the group's lock.
class ArmedTimer: Runnable, LeewayElement {
  /// What is to be done with a timer whose deadline has come, and which is out of its group.
  enum Fallen {
    /// Its queue is to run it.
    case due
    /// It is due again by itself.
    case again(Nanoseconds)
    case over
    /// It was cancelled, and had stayed in its place.
    case cancelled
  }

  // There may be a million of them, so only those that need them have a mark and a leeway.

  final var heapIndex: Int32 = -1
  /// Only of one that may have leeway.
  var leewayMark: LeewayMark? {
    get { nil }
    set {}
  }
  /// Whether it never has leeway.
  var isExact: Bool { true }

  /// Of its next beat; kept by those that are armed again by themselves.
  var leeway: Nanoseconds {
    get { 0 }
    set {}
  }

  /// The deadline has come. The group's lock is held.
  func fall(due now: Nanoseconds, _ worker: WorkerRef?) -> Fallen { fatalError("ArmedTimer.fall is abstract") }

  /// Whether it is never due any more, though it may still stand in its group.
  var isCancelled: Bool { false }

  /// A shutdown drops it.
  /// - Returns: whether that is to be reported; false if it was cancelled.
  func drop() -> Bool { fatalError("ArmedTimer.drop is abstract") }
}
