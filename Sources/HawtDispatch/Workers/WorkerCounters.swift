internal import Synchronization

/// What a worker counts, for metrics. Relaxed operations: each is a number by itself and orders nothing.
struct WorkerCounters: ~Copyable {
  let takeovers = Atomic<Int>(0)
  let rounds = Atomic<Int>(0)
  let steals = Atomic<Int>(0)
  let migrationsIn = Atomic<Int>(0)
  let migrationsOut = Atomic<Int>(0)
}
