internal import CLinux
internal import Glibc
internal import Synchronization

/// Whether a worker's thread may still take entries, for the end of a shutdown whose deadline has passed: a thread that
/// is held by a task is abandoned, and must not touch its queues when the task returns at last (rule L3).
///
/// The thread says where it is by plain stores, which cost nothing; the one who abandons it makes them visible by a
/// barrier in every thread (`membarrier`), and only then reads them. Once leaving, the lock decides.
struct Custody: ~Copyable {
  private let isTaking = Atomic<Bool>(false)
  private let leaving = Atomic<Bool>(false)
  private let abandoned = Atomic<Bool>(false)
  /// Guards the taking of entries while `leaving`.
  private let lock = Lock()

  /// Whether the worker has been told to come to an end.
  @inline(__always)
  var isLeaving: Bool { leaving.load(ordering: .relaxed) }

  var isAbandoned: Bool { abandoned.load(ordering: .acquiring) }

  /// Before the thread takes an entry. False: it must take none any more.
  @inline(__always)
  func enter() -> Bool {
    isTaking.store(true, ordering: .releasing)
    // Acquiring, so that no access to the queues is moved before it; the barrier of `abandon` does the rest.
    return leaving.load(ordering: .acquiring) ? enterSlowly() : true
  }

  private func enterSlowly() -> Bool {
    isTaking.store(false, ordering: .releasing)
    lock.lock()
    if abandoned.load(ordering: .relaxed) {
      lock.unlock()
      return false
    }
    return true
  }

  /// After the thread has taken an entry.
  @inline(__always)
  func leave() {
    if isTaking.load(ordering: .relaxed) {
      isTaking.store(false, ordering: .releasing)
    } else {
      lock.unlock()
    }
  }

  /// From now on the lock decides who takes.
  func beginLeaving() {
    leaving.store(true, ordering: .sequentiallyConsistent)
    hawt_barrier_in_all_threads()
    // The thread is in the middle of taking an entry: a few instructions.
    while isTaking.load(ordering: .acquiring) { sched_yield() }
  }

  /// The thread takes nothing any more from here on.
  func abandon() { lock.withLock { abandoned.store(true, ordering: .releasing) } }

  /// For the next start.
  func reset() {
    abandoned.store(false, ordering: .relaxed)
    leaving.store(false, ordering: .relaxed)
  }
}
