/// W6: 64-byte echo, one server thread.
enum W6Echo: Workload {
  static let name = "W6"
  private static let key = "requests-per-second"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    try measure(&sampler, effort, connections: 50, reactor: 0.97, proactor: 0.92)
      + measure(&sampler, effort, connections: 500, reactor: 0.95, proactor: 0.88)
  }

  private static func measure(
    _ sampler: inout Sampler, _ effort: Effort, connections: Int, reactor: Double, proactor: Double
  ) throws -> [Cell] {
    let servers: [EchoServer] = [
      .epoll, .hawt("reactor", "epoll"), .hawt("proactor", "epoll"), .hawt("reactor", "libevent"),
      .hawt("proactor", "libevent"),
    ]
    let load = EchoLoad(effort, connections: connections)
    let results = try sampler.interleave(servers.map { $0.subject(load) }, rounds: effort.rounds)
    results.printTable(
      "\(name) echo, N=\(connections)", [key, "server-us", "p50-us", "p99-us", "p99.9-us"], ratio: (key, "C epoll"))
    var cells: [Cell] = []
    for backend in ["epoll", "libevent"] {
      for (style, goal) in [("reactor", reactor), ("proactor", proactor)] {
        let ratio = results.ratio("hawt \(style) \(backend)", to: "C epoll", key)
        cells.append(.atLeast(goal, "\(name).\(style).\(backend).n\(connections)", ratio, "ratio-to-c"))
      }
    }
    return cells
  }
}
