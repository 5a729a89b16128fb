/// Connections of unequal weight on two workers: what an even placement at creation gives, and what moving queues gives
/// on top. Every second connection is idle, the others make the server compute: placing them in turn puts all that work on
/// one worker.
enum Placement: Workload {
  static let name = "P"
  static let hasGoals = false
  private static let workMicroseconds = 50

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    var load = EchoLoad(effort, connections: 25, idle: 25)
    // Balancing needs some time to find a good place for all.
    load.warmUp = 1
    let subjects = backends.flatMap { backend in
      [
        server("in turn, \(backend)", "reactor", backend),
        server("in turn and moved by load, \(backend)", "reactor", backend, ["--balance", "1"]),
        server("any worker, \(backend)", "proactor", backend),
      ].map { $0.subject(load, pinned: false) }
    }
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTable(
      "P 2 workers, 25 idle connections, 25 for which the server computes \(workMicroseconds) µs each time",
      ["requests-per-second", "p50-us", "p99-us"], ratio: ("requests-per-second", "in turn, epoll"))
    return []
  }

  private static func server(
    _ name: String, _ style: String, _ backend: String, _ arguments: [String] = []
  ) -> EchoServer {
    EchoServer(
      name: name, program: "echo-hawt",
      arguments: ["--style", style, "--backend", backend, "--threads", "2", "--work-us", "\(workMicroseconds)"]
        + arguments)
  }
}
