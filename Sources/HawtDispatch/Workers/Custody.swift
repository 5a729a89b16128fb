internal import CLinux
internal import Glibc
internal import Synchronization

/// Whether a worker's thread may still take entries. From the end of a shutdown on it may not: what is left when the
/// deadline has passed is not run but discarded, and a thread that a task holds is abandoned, and must not touch its
/// queues when the task returns at last (rule L3).
///
/// The thread says where it is by plain stores, which cost nothing; the one who has it leave makes them visible by a
/// barrier in every thread (`membarrier`), and only then reads them.
struct Custody: ~Copyable {
  private let isTaking = Atomic<Bool>(false)
  private let leaving = Atomic<Bool>(false)
  private let abandoned = Atomic<Bool>(false)

  /// Whether the worker has been told to come to an end.
  @inline(__always)
  var isLeaving: Bool { leaving.load(ordering: .relaxed) }

  /// The same for the owner that has just taken its lease: whoever saw it away before had told it.
  var mustLeave: Bool { leaving.load(ordering: .sequentiallyConsistent) }

  @inline(__always)
  var isAbandoned: Bool { abandoned.load(ordering: .acquiring) }

  /// Before the thread takes an entry. False: it must take none any more.
  @inline(__always)
  func enter() -> Bool {
    isTaking.store(true, ordering: .releasing)
    // Acquiring, so that no access to the queues is moved before it; the barrier of `beginLeaving` does the rest.
    if !leaving.load(ordering: .acquiring) { return true }
    leave()
    return false
  }

  /// After the thread has taken an entry.
  @inline(__always)
  func leave() { isTaking.store(false, ordering: .releasing) }

  /// The thread takes nothing any more from here on.
  func beginLeaving() {
    leaving.store(true, ordering: .sequentiallyConsistent)
    hawt_barrier_in_all_threads()
    // The thread is in the middle of taking an entry: a few instructions.
    while isTaking.load(ordering: .acquiring) { sched_yield() }
  }

  /// The thread is given up: it is no worker of the dispatcher's any more.
  func abandon() { abandoned.store(true, ordering: .releasing) }

  /// For the next start.
  func reset() {
    abandoned.store(false, ordering: .relaxed)
    leaving.store(false, ordering: .relaxed)
  }
}
