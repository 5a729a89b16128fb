internal import CLinux
internal import Glibc
internal import Synchronization

/// Who may touch a worker's poller, registrations and timers: whoever holds it, one thread at a time (rule B6).
/// Modelled in `Conformance/Models/lease.pml`, with the mailbox.
///
///     | round (62) | away (1) | held (1) |
///
/// The owner holds it while it polls, sleeping included, and leaves it around user code: away. Then anybody may take it for
/// a moment; nobody runs user code under it, nor waits under it but the owner in its poller. An owner that comes back and
/// finds it taken therefore waits for a few instructions only. That it is taken does not mean that the owner is back: away
/// says so, until the owner itself takes the lease.
struct Lease: ~Copyable {
  private static let held: UInt64 = 1
  private static let away: UInt64 = 2
  private static let round: UInt64 = 4
  /// Away at first: a hook of the user's runs before the first round.
  private let word = Atomic<UInt64>(Lease.away)

  /// Takes the lease if it is free. Acquires what the last holder did.
  @inline(__always)
  func tryTake() -> Bool { tryTake(clearing: 0) }

  @inline(__always)
  private func tryTake(clearing bits: UInt64) -> Bool {
    // Sequentially consistent, both: a poster that fails here has published its work before; the holder looks after it
    // frees.
    let seen = word.load(ordering: .sequentiallyConsistent)
    guard seen & Lease.held == 0 else { return false }
    return word.compareExchange(
      expected: seen, desired: (seen | Lease.held) & ~bits, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// The owner comes back, waiting for a peer to finish with the lease.
  func comeBack() {
    var spins = 0
    while !tryTake(clearing: Lease.away) {
      spins += 1
      if spins < 100 { hawt_pause() } else { sched_yield() }
    }
  }

  /// The owner frees the lease to run user code. Releases what was done under it; sequentially consistent, as the mailbox
  /// and the watch are looked at next.
  @inline(__always)
  func leave() {
    let seen = word.load(ordering: .relaxed)
    word.store(((seen & ~Lease.held) | Lease.away) &+ Lease.round, ordering: .sequentiallyConsistent)
  }

  /// Anybody else frees the lease.
  @inline(__always)
  func free() { word.store(word.load(ordering: .relaxed) & ~Lease.held, ordering: .sequentiallyConsistent) }

  /// Whether the owner is in user code, whoever may hold the lease meanwhile.
  var isOwnerAway: Bool { word.load(ordering: .sequentiallyConsistent) & Lease.away != 0 }
}
