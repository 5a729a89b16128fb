/// W4: a ball goes to and fro between two queues.
enum W4Hops: Workload {
  static let name = "W4"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    try pooled(&sampler, effort) + threads(&sampler, effort)
  }

  private static func pooled(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let hawt = Subject.hawt("W4.pooled.fresh", "hawt fresh") + Subject.hawt("W4.pooled.reused", "hawt reused")
    let subjects: [Subject] =
      hawt + [.dispatch("W4.pooled"), .concurrency("W4.pooled", scale: 1)]
      + effort.unlessQuick([.dispatchDefault("W4.pooled")])
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTasks("W4 hop between two serial queues that any worker may run")
    return results.cells("W4.pooled.fresh", atLeast: 5, "hawt fresh")
      + backends.map {
        let ratio = results.ratio("hawt reused \($0)", to: "Swift concurrency", "ns-per-op")
        return .atMost(1, "W4.pooled.reused.\($0)", ratio, "ratio-to-swift")
      }
  }

  /// Fresh tasks, as who measured the peers had them.
  private static func threads(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let hawt = Subject.hawt("W4.threads.fresh", "hawt fresh") + Subject.hawt("W4.threads.reused", "hawt reused")
    let subjects = hawt + [.c("W4.threads")] + effort.unlessQuick([.nio("W4.threads")])
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTasks("W4 hop between two serial queues on two threads", peer: "C")
    return backends.map {
      .atLeast(0.95, "W4.threads.\($0)", results.speed("hawt fresh \($0)", over: "C"), "ratio-to-c")
    }
  }
}
