/// W10: unpinned connections while one of two workers is held by a task of one second.
enum W10Held: Workload {
  static let name = "W10"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    var load = EchoLoad(effort)
    // As long as the task, so that the worker is held from beginning to end.
    load.seconds = 1
    let subjects = backends.flatMap { backend in
      let server = EchoServer.hawt("proactor", backend, threads: 2)
      return [
        server.subject(load, as: "\(backend), calm"), server.subject(load, as: "\(backend), held", command: "hold"),
      ]
    }
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTable(
      "W10 echo, N=50, 2 workers, one of them held", ["requests-per-second", "p50-us", "p99-us", "p99.9-us", "frozen"],
      ratio: ("p99-us", "epoll, calm"))
    return backends.flatMap { backend -> [Cell] in
      let ratio = results.ratio("\(backend), held", to: "\(backend), calm", "p99-us")
      return [
        .atMost(10, "W10.p99.\(backend)", ratio, "ratio-to-calm"),
        .atMost(0, "W10.frozen.\(backend)", results.series("\(backend), held", "frozen"), "connections"),
      ]
    }
  }
}
