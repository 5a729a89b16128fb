/// W5: ten thousand serial queues with a hundred tasks each; and what one holds when it is idle.
enum W5Many: Workload {
  static let name = "W5"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let others = effort.unlessQuick([Subject.dispatchDefault("W5"), .concurrency("W5")])
    let results = try sampler.interleave(
      Subject.hawt("W5") + [.dispatch("W5")] + others, rounds: effort.rounds)
    results.printTable(
      "W5 10,000 serial queues × 100 tasks", ["ns-per-op", "threads"], ratio: ("ns-per-op", "libdispatch"))
    let idle = try sampler.interleave(Subject.hawt("idle") + [.dispatch("idle")], rounds: 1)
    idle.printTable("W5 idle serial queue", ["new-bytes", "idle-bytes"], ratio: ("idle-bytes", "libdispatch"))
    return results.cells("W5.many", atLeast: 4)
      + backends.flatMap { backend -> [Cell] in
        let hawt = "hawt \(backend)"
        return [
          // Two workers and the main thread.
          .atMost(3, "W5.threads.\(backend)", results.series(hawt, "threads"), "threads"),
          .atMost(198, "W5.idle-queue.\(backend)", idle.series(hawt, "idle-bytes"), "bytes"),
        ]
      }
  }
}
