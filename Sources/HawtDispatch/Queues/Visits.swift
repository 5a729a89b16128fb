internal import Synchronization

/// At which thread queues an entry of a queue stands that has been retargeted: a bit for each worker.
///
/// What a queue leaves in a thread queue when it moves away is void, and only that thread can take it out. One that is
/// stuck in a task does not, and a queue that comes and goes meanwhile would leave an entry at each visit. So:
///
///     push     set the bit; it was set: no second entry
///     pop      clear the bit, *then* read the state word; an entry of another epoch than the queue's stands for the
///              present one, if under the topology lock this thread queue is the target; otherwise it is void
///
/// - Why nothing is lost. Who finds the bit set has made its entry due, by an operation on the state word, before. The
///   pop that clears the bit comes after in the order of the bit's changes, and so reads a state that is as new.
/// - Why it may err on one side. A bit that is clear while an entry stands costs a second entry, one of which finds the
///   queue taken. So the entry from before the first retarget, which has no bit, needs no special care: at a thread queue
///   there are two entries of a queue at most. Modelled in `Conformance/Models/queue.pml`.
struct Visits: ~Copyable {
  /// The address of the words, 64 workers each; null until the first retarget to a thread queue. Owned.
  private let address = Atomic<UInt>(0)

  private static func words(_ bits: UInt) -> UnsafeMutablePointer<Atomic<UInt64>>? {
    // Sound: the words are allocated once, before the address is known, and freed with the only one who knows it.
    UnsafeMutablePointer(bitPattern: bits)
  }

  /// From now on visits are noted. The topology lock is held.
  func begin(workers: Int) {
    guard address.load(ordering: .relaxed) == 0 else { return }
    let count = (workers + 63) / 64
    let words = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: count)
    for index in 0..<count { (words + index).initialize(to: Atomic(0)) }
    // Releases the words.
    address.store(UInt(bitPattern: words), ordering: .releasing)
  }

  /// - Returns: whether an entry has to be pushed, as none stands there.
  func arrive(at worker: Int) -> Bool {
    // Acquires the words.
    guard let words = Visits.words(address.load(ordering: .acquiring)) else { return true }
    let bit: UInt64 = 1 << UInt64(worker % 64)
    // Acquires and releases, both here and below: what one side did before its change of the bit, the other sees after
    // its own.
    return words[worker / 64].bitwiseOr(bit, ordering: .acquiringAndReleasing).oldValue & bit == 0
  }

  func leave(_ worker: Int) {
    guard let words = Visits.words(address.load(ordering: .acquiring)) else { return }
    let bit: UInt64 = 1 << UInt64(worker % 64)
    words[worker / 64].bitwiseAnd(~bit, ordering: .acquiringAndReleasing)
  }

  deinit { Visits.words(address.load(ordering: .acquiring))?.deallocate() }
}

extension SerialCore {
  /// The queue is about to get a thread queue for target. The topology lock is held.
  func beginCommuting() {
    extras.visits.begin(workers: dispatcher.threads.count)
    // Releases the extras.
    commutes.store(true, ordering: .releasing)
  }

  /// Before an entry of the queue is pushed to a worker's thread queue.
  /// - Returns: false if none is needed.
  @inline(__always)
  func willStand(at worker: Int) -> Bool {
    // Acquires the extras.
    !commutes.load(ordering: .acquiring) || withExistingExtras { $0.visits.arrive(at: worker) } ?? true
  }

  /// After an entry of the queue was taken out of a worker's thread queue, and before it is run.
  @inline(__always)
  func standsNoMore(at worker: Int) {
    if commutes.load(ordering: .acquiring) { withExistingExtras { $0.visits.leave(worker) } }
  }

  /// The queue's epoch if the thread queue that is running on `worker` is its target; nil otherwise.
  @inline(never)
  func presentEpoch(at worker: Worker) -> UInt32? {
    guard worker.isRunning(worker.thread) else { return nil }
    return dispatcher.topology.epoch(of: self, at: worker.thread)
  }
}
