import CSupport

/// W8: what idle connections hold, and what they cost those that are active.
enum W8Idle: Workload {
  static let name = "W8"
  private static let key = "requests-per-second"
  private static let active = 50

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    // Some descriptors are needed for other things.
    let idle = min(9900, Int(bench_raise_descriptor_limit()) - active - 50)
    let servers = [EchoServer.epoll, .libevent] + backends.map { .hawt("reactor", $0) } + effort.unlessQuick(others)
    let subjects = servers.flatMap { server in
      [
        server.subject(EchoLoad(effort, connections: active), as: "\(server.name), none idle"),
        server.subject(EchoLoad(effort, connections: active, idle: idle), as: "\(server.name), \(idle) idle"),
      ]
    }
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTable(
      "W8 \(active) active connections beside \(idle) idle ones", [key, "bytes-per-connection"],
      ratio: (key, "C epoll, none idle"))
    return backends.flatMap { backend -> [Cell] in
      let hawt = "hawt reactor \(backend)"
      let kept = zip(results.kept(hawt, idle).values, results.kept("C \(backend)", idle).values).map { $0 / $1 }
      return [
        .atMost(
          512, "W8.idle-connection.\(backend)", results.series("\(hawt), \(idle) idle", "bytes-per-connection"), "bytes"
        ),
        .atLeast(0.97, "W8.beside-idle.\(backend)", Series(kept), "ratio-to-c"),
      ]
    }
  }

  private static let others: [EchoServer] = [.dispatch, .nio]
}

extension Results {
  /// The share of the throughput without idle connections that is left beside them.
  fileprivate func kept(_ server: String, _ idle: Int) -> Series {
    ratio("\(server), \(idle) idle", to: "\(server), none idle", "requests-per-second")
  }
}
