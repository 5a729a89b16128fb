internal import Synchronization

/// Work for whoever holds a worker's lease next: many producers, one consumer. First in, first out for each producer.
/// Constant time; never waits. Modelled in `Conformance/Models/lease.pml`.
struct Mailbox: ~Copyable {
  private let top = Atomic<UInt>(0)

  /// Whether nothing is in it.
  @inline(__always)
  var isEmpty: Bool { top.load(ordering: .sequentiallyConsistent) == 0 }

  /// Keeps the work alive until it is taken.
  func push(_ work: PollerWork) {
    let bits = UInt(bitPattern: Unmanaged.passRetained(work).toOpaque())
    var seen = top.load(ordering: .relaxed)
    while true {
      work.nextInMailbox = seen
      // Sequentially consistent: it comes before the look at the lease, see `Worker.post`.
      let (done, now) = top.weakCompareExchange(expected: seen, desired: bits, ordering: .sequentiallyConsistent)
      if done { return }
      seen = now
    }
  }

  /// Takes everything out, oldest first, and hands it to `body`. The lease is held.
  func drain(_ body: (PollerWork) -> Void) {
    var bits = top.exchange(0, ordering: .sequentiallyConsistent)
    var reversed: UInt = 0
    while let pointer = UnsafeRawPointer(bitPattern: bits) {
      let work = Unmanaged<PollerWork>.fromOpaque(pointer)._withUnsafeGuaranteedRef { $0 }
      let next = work.nextInMailbox
      work.nextInMailbox = reversed
      reversed = bits
      bits = next
    }
    while let pointer = UnsafeRawPointer(bitPattern: reversed) {
      let work = Unmanaged<PollerWork>.fromOpaque(pointer).takeRetainedValue()
      // Read before the body, which may post the work elsewhere.
      reversed = work.nextInMailbox
      body(work)
    }
  }

  deinit { drain { _ in } }
}
