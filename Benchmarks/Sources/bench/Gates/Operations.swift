/// The gates that `gates-hawt` measures: one operation of the library, many times.
enum Operations {
  private static let count = 100_000
  /// So few that they are growth of something, not the operation's: 20 in 100,000.
  private static let tolerance = 0.0002
  private static let singleWorker = [
    "event-reactor", "event-proactor", "reused-serial", "reused-global", "reused-thread", "timer", "timer-repeating",
  ]
  private static let pairOfWorkers = ["steal", "retarget"]

  static func gates(_ backend: String) throws -> [Gate] {
    try singleWorker.map { try allocations($0, workers: 1, backend, limit: 0) }
      + pairOfWorkers.map { try allocations($0, workers: 2, backend, limit: 0) }
      // The closure's own.
      + [allocations("fresh-serial", workers: 1, backend, limit: 1)]
      + [wakeUps(backend), memory(backend)]
  }

  private static func allocations(
    _ operation: String, workers: Int, _ backend: String, limit: Double
  ) throws -> Gate {
    let figures = try run(operation, workers: workers, backend)
    let value = figures["allocations-per-operation"] ?? .nan
    return Gate(name: "allocations.\(operation).\(backend)", value: value, limit: .atMost(limit + tolerance))
  }

  /// One for each burst of a thousand would do; a second one is for a worker that comes to help.
  private static func wakeUps(_ backend: String) throws -> Gate {
    let figures = try run("foreign", workers: 2, backend)
    return Gate(
      name: "wake-ups-per-1000.foreign.\(backend)", value: figures["wake-ups-per-1000"] ?? .nan, limit: .atMost(2))
  }

  /// What the pools keep when a backlog has been worked off.
  private static func memory(_ backend: String) throws -> Gate {
    let figures = try run("burst", workers: 1, backend)
    return Gate(name: "bytes-left.burst.\(backend)", value: figures["bytes-left"] ?? .nan, limit: .atMost(64 * 1024))
  }

  private static func run(_ operation: String, workers: Int, _ backend: String) throws -> Figures {
    try Child(
      "gates-hawt", [operation, "--count", "\(count)", "--workers", "\(workers)", "--backend", backend], cpu: nil
    ).finish()
  }
}
