internal import Synchronization

/// A poller's metrics: written by the lease's holder, read from anywhere, each for itself.
struct PollerCounters: ~Copyable {
  let registrations = Atomic<Int>(0)
  let armedDirections = Atomic<Int>(0)
  let waits = Atomic<UInt64>(0)
  let wakeUps = Atomic<UInt64>(0)
  let rebuilds = Atomic<UInt64>(0)
  let changes = Atomic<UInt64>(0)

  /// Adds without a locked instruction, since only the lease's holder writes.
  static func add(_ counter: borrowing Atomic<Int>, _ amount: Int) {
    counter.store(counter.load(ordering: .relaxed) + amount, ordering: .relaxed)
  }

  /// Counts one without a locked instruction.
  static func increment(_ counter: borrowing Atomic<UInt64>) {
    counter.store(counter.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }
}
