/// W6: 64-byte echo, one server thread, server and client on a CPU each.
enum W6Echo: Workload {
  static let name = "W6"
  private static let key = "requests-per-second"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    try measure(&sampler, effort, connections: 50, reactor: 0.97, proactor: 0.92)
      + measure(&sampler, effort, connections: 500, reactor: 0.95, proactor: 0.88)
      + systemCalls(effort)
  }

  private static func measure(
    _ sampler: inout Sampler, _ effort: Effort, connections: Int, reactor: Double, proactor: Double
  ) throws -> [Cell] {
    let hawt = backends.flatMap { [EchoServer.hawt("reactor", $0), .hawt("proactor", $0)] }
    let others: [EchoServer] = [.libuv, .threads, .dispatch, .dispatchDefault, .nio]
    let servers = [EchoServer.epoll, .libevent] + hawt + effort.unlessQuick(others)
    let load = EchoLoad(effort, connections: connections)
    let results = try sampler.interleave(servers.map { $0.subject(load) }, rounds: effort.rounds)
    results.printTable(
      "W6 echo, N=\(connections)", [key, "server-us", "p50-us", "p99-us", "p99.9-us"], ratio: (key, "C epoll"))
    return backends.flatMap { backend -> [Cell] in
      let floor = "C \(backend)"
      let (reacting, proacting) = ("hawt reactor \(backend)", "hawt proactor \(backend)")
      var cells: [Cell] = [
        .atLeast(
          reactor, "W6.reactor.\(backend).n\(connections)", results.ratio(reacting, to: floor, key), "ratio-to-c"),
        .atLeast(
          proactor, "W6.proactor.\(backend).n\(connections)", results.ratio(proacting, to: floor, key), "ratio-to-c"),
      ]
      if connections == 50 {
        let tail = results.ratio(reacting, to: floor, "p99.9-us")
        cells.append(.atMost(1.2, "W6.p999.\(backend).n50", tail, "ratio-to-c"))
      }
      return cells
    }
  }

  private static func systemCalls(_ effort: Effort) throws -> [Cell] {
    let servers =
      [EchoServer.epoll, .libevent] + backends.map { .hawt("reactor", $0) } + effort.unlessQuick([.dispatch, .nio])
    var table = Table(["subject", "system calls per echo", "epoll_ctl per echo"])
    var cells: [Cell] = []
    for server in servers {
      let calls = try SystemCalls.count(server, EchoLoad(effort))
      table.add([server.name, compact(calls.perEcho), compact(calls.controlPerEcho)])
      guard let backend = backends.first(where: { server.name == "hawt reactor \($0)" }) else { continue }
      cells.append(.atMost(2.05, "W6.syscalls.\(backend).n50", Series([calls.perEcho]), "calls-per-echo"))
      cells.append(.atMost(0, "W6.epoll-ctl.\(backend).n50", Series([calls.controlPerEcho]), "calls-per-echo"))
    }
    print("\nW6 system calls, N=50, counted by strace\n\(table.text)")
    return cells
  }
}
