internal import CLinux
internal import Glibc
internal import Synchronization

/// Who may touch a worker's poller, registrations and timers: whoever holds it, one thread at a time (rule B6).
/// Modelled in `Conformance/Models/worker.pml`.
///
///     | round (63) | held (1) |
///
/// The owner holds it while it polls, sleeping included, and frees it around user code. Then anybody may take it for a
/// moment; nobody runs user code under it, nor waits under it but the owner in its poller. An owner that finds it taken
/// therefore waits for a few instructions only. The round tells peers whether the owner gets on.
struct Lease: ~Copyable {
  private static let held: UInt64 = 1
  private let word = Atomic<UInt64>(0)

  /// Takes the lease if it is free. Acquires what the last holder did.
  @inline(__always)
  func tryTake() -> Bool {
    let seen = word.load(ordering: .relaxed)
    guard seen & Lease.held == 0 else { return false }
    // Sequentially consistent: a poster that fails here has published its work before; the holder looks after it frees.
    return word.compareExchange(
      expected: seen, desired: seen | Lease.held, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// Takes the lease, waiting for a peer to finish with it. The owner.
  func take() {
    var spins = 0
    while !tryTake() {
      spins += 1
      if spins < 100 { hawt_pause() } else { sched_yield() }
    }
  }

  /// Frees the lease. Releases what was done under it; sequentially consistent, as the mailbox is looked at next.
  @inline(__always)
  func free() { word.store((word.load(ordering: .relaxed) & ~Lease.held) &+ 2, ordering: .sequentiallyConsistent) }

  /// The round if the lease is free: its owner is in user code.
  var roundIfFree: UInt64? {
    let seen = word.load(ordering: .sequentiallyConsistent)
    return seen & Lease.held == 0 ? seen : nil
  }
}
