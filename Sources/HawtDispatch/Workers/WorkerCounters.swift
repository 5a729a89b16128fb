internal import Synchronization

/// What a worker counts, for metrics. Relaxed operations: each is a number by itself and orders nothing.
struct WorkerCounters: ~Copyable {
  let takeovers = Atomic<Int>(0)
  let rounds = Atomic<Int>(0)
  let steals = Atomic<Int>(0)
  let migrationsIn = Atomic<Int>(0)
  let migrationsOut = Atomic<Int>(0)

  /// Goes on from where another has ended.
  func take(over old: borrowing WorkerCounters) {
    takeovers.store(old.takeovers.load(ordering: .relaxed), ordering: .relaxed)
    rounds.store(old.rounds.load(ordering: .relaxed), ordering: .relaxed)
    steals.store(old.steals.load(ordering: .relaxed), ordering: .relaxed)
    migrationsIn.store(old.migrationsIn.load(ordering: .relaxed), ordering: .relaxed)
    migrationsOut.store(old.migrationsOut.load(ordering: .relaxed), ordering: .relaxed)
  }
}
