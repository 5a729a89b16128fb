/// What one worker has done since its dispatcher was made. A snapshot; the numbers are of slightly different moments.
public struct WorkerMetrics: Sendable, Hashable {
  /// Which worker, from 0.
  public let worker: Int
  /// Descriptors registered with its poller now, the dispatcher's own not counted.
  public let registrations: Int
  /// Directions (reading, writing) armed now over all registrations.
  public let armedDirections: Int
  /// How often a peer served its poller because it was stuck in a task (rule Q13).
  public let leaseTakeovers: Int
  /// Waits for readiness.
  public let waits: Int
  /// Sleeps that a wake-up write ended (rule Q5).
  public let wakeUps: Int
  /// Rounds of its loop.
  public let rounds: Int
  /// Entries that it took from peers.
  public let steals: Int
  /// Queues that moved to it.
  public let migrationsIn: Int
  /// Queues that moved away from it.
  public let migrationsOut: Int
}

/// What became of a shutdown (rule L3).
public struct ShutdownReport: Sendable, Hashable {
  /// Tasks that were accepted and did not run before the deadline.
  public let discardedTasks: Int
  /// Timers that were pending and were dropped.
  public let droppedTimers: Int
  /// Names of the threads that were held by a task when the deadline passed, and were left behind.
  public let stuckThreads: [String]
  /// Whether every task that was accepted has run and every thread ended. Timers that were pending do not count.
  public var isClean: Bool { discardedTasks == 0 && stuckThreads.isEmpty }
}
