/// W9: what giving a live queue another worker costs, the caller and the load.
enum W9Migration: Workload {
  static let name = "W9"
  private static let key = "requests-per-second"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let moves = try sampler.interleave(
      Subject.hawt("W9") + Subject.hawt("W9.asleep", "hawt asleep"), rounds: effort.rounds)
    moves.printTable(
      "W9 setTarget of a pinned queue with one source, which has events or sleeps", ["call-us", "effective-us"],
      ratio: ("call-us", "hawt epoll"))
    let subjects = backends.flatMap { backend in
      [false, true].map { isMigrating in
        EchoServer.hawt("reactor", backend, threads: 2, migrating: isMigrating)
          .subject(EchoLoad(effort), as: subject(backend, isMigrating))
      }
    }
    let echoes = try sampler.interleave(subjects, rounds: effort.rounds)
    echoes.printTable(
      "W9 echo, N=50, 2 workers", [key, "p50-us", "p99-us", "p99.9-us"], ratio: (key, subject("epoll", false)))
    return backends.flatMap { backend -> [Cell] in
      let ratio = echoes.ratio(subject(backend, true), to: subject(backend, false), key)
      return [
        .atMost(5, "W9.set-target.\(backend)", moves.series("hawt \(backend)", "call-us"), "us"),
        .atMost(5, "W9.set-target-asleep.\(backend)", moves.series("hawt asleep \(backend)", "call-us"), "us"),
        .atLeast(0.95, "W9.migrating.\(backend)", ratio, "ratio-to-calm"),
      ]
    }
  }

  private static func subject(_ backend: String, _ isMigrating: Bool) -> String {
    isMigrating ? "\(backend), each 10 times a second" : "\(backend), none migrates"
  }
}
