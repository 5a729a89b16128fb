import Glibc
import Synchronization

/// Counts the SIGUSR2 that one thread handles; the handler is installed without SA_RESTART, so it interrupts system calls.
///
/// A handler cannot be given a context, hence the table: each counter has a place of its own, and the thread's place is
/// what a lookup by thread finds.
final class Signals: Sendable {
  private static let places = PlaceTable()

  private let place = Signals.places.take()

  var count: Int { Signals.places.counts[place].load(ordering: .sequentiallyConsistent) }

  /// Lets the calling thread receive the signal and count it here. Threads of Swift's pool, and all that they make, have
  /// it masked.
  func acceptHere() {
    Signals.places.threads[place].store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in Signals.noteSignal() }
    sigaction(SIGUSR2, &action, nil)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGUSR2)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  private static func noteSignal() {
    let thread = UInt(pthread_self())
    for place in 0..<PlaceTable.count
    where places.threads[place].load(ordering: .sequentiallyConsistent) == thread {
      places.counts[place].add(1, ordering: .sequentiallyConsistent)
    }
  }

  deinit {
    Signals.places.threads[place].store(0, ordering: .sequentiallyConsistent)
  }
}

/// Plain memory that a signal handler may touch: no locks, no allocation.
private final class PlaceTable: @unchecked Sendable {
  static let count = 64

  // Sendable without proof: the pointers never change, what they point to is atomic.
  let counts = UnsafeMutablePointer<Atomic<Int>>.allocate(capacity: count)
  let threads = UnsafeMutablePointer<Atomic<UInt>>.allocate(capacity: count)
  private let taken = Atomic<Int>(0)

  init() {
    for place in 0..<Self.count {
      (counts + place).initialize(to: Atomic(0))
      (threads + place).initialize(to: Atomic(0))
    }
  }

  func take() -> Int {
    let place = taken.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue
    precondition(place < Self.count, "more counters than places")
    return place
  }
}
