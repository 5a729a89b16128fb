/// How those fare who ask for little, beside those who ask for much. No goal compares them: the table tells.
enum Fairness: Workload {
  static let name = "F"
  static let hasGoals = false
  private static let keys = ["requests-per-second", "p50-us", "p99-us", "p99.9-us"]

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    try flooded(&sampler, effort)
    try besideTasks(&sampler, effort)
    try lowPriority(&sampler, effort)
    return []
  }

  private static func flooded(_ sampler: inout Sampler, _ effort: Effort) throws {
    var flood = EchoLoad(effort, connections: 49)
    let calm = flood
    flood.flooding = 1
    let servers = hawt(threads: 1) + effort.unlessQuick([.nio])
    let subjects = servers.flatMap { [$0.subject(calm, as: "\($0.name)"), $0.subject(flood, as: "\($0.name), flood")] }
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTable("F 49 light connections beside one that floods", keys, ratio: ("p99.9-us", servers[0].name))
  }

  private static func besideTasks(_ sampler: inout Sampler, _ effort: Effort) throws {
    let subjects = hawt(threads: 1).flatMap { server in
      [
        server.subject(EchoLoad(effort), as: "\(server.name)"),
        server.subject(EchoLoad(effort), as: "\(server.name), busy queue", command: "spin"),
      ]
    }
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTable(
      "F echo, N=50, 1 worker, beside a serial queue that posts itself", keys, ratio: ("p99.9-us", subjects[0].name))
  }

  private static func lowPriority(_ sampler: inout Sampler, _ effort: Effort) throws {
    let subjects = Subject.hawt("priority") + [.dispatch("priority")]
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTable(
      "F a task of low priority while default ones saturate 2 workers", ["p50-us", "p99-us", "p99.9-us"],
      ratio: ("p99.9-us", "libdispatch"))
  }

  private static func hawt(threads: Int) -> [EchoServer] {
    backends.flatMap { [EchoServer.hawt("reactor", $0, threads: threads), .hawt("proactor", $0, threads: threads)] }
  }
}
