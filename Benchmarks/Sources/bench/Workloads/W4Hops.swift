/// W4: a hop from one queue to another.
enum W4Hops: Workload {
  static let name = "W4"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let results = try sampler.interleave(
      [.tasks("C", "tasks-c", "W4.threads")], rounds: effort.rounds)
    results.printTable("W4 hop between two threads", ["ns-per-op"], ratio: ("ns-per-op", "C"))
    return []
  }
}
