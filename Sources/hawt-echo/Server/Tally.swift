import Glibc

/// What the server knows about its sessions, live ones and ended ones together.
struct Tally {
  private(set) var connections = 0
  private(set) var migrations = 0
  /// The fewest migrations that one connection has had.
  private(set) var fewest = Int.max
  private(set) var threads: Set<pthread_t> = []

  mutating func add(migrations count: Int, threads more: Set<pthread_t>) {
    connections += 1
    migrations += count
    fewest = min(fewest, count)
    threads.formUnion(more)
  }

  /// The answer to `statistics`.
  var line: String {
    "statistics connections \(connections) threads \(threads.count) migrations \(migrations)"
      + " fewest \(connections == 0 ? 0 : fewest)"
  }
}
