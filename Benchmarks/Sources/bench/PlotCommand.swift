import ArgumentParser
import CSupport

/// Draws the echo of all peers: throughput against connections, and latencies.
struct PlotCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plot", abstract: "Draw the echo of all peers as an SVG picture.")

  @Flag(help: "Shorter samples.")
  var quick = false
  @Argument(help: "The file to write.")
  var path = "echo.svg"

  private static let counts = [1, 5, 10, 50, 100, 500, 1000, 5000]
  private static let percentiles = [(0.5, "50%"), (0.9, "90%"), (0.99, "99%"), (0.999, "99.9%")]
  private static let percentileKeys = ["p50-us", "p90-us", "p99-us", "p99.9-us"]
  /// How many connections the latencies are shown for.
  private static let latencyCount = 50

  func run() throws {
    bench_buffer_lines()
    _ = bench_raise_descriptor_limit()
    let effort = Effort(isQuick: quick)
    var sampler = Sampler(quick: quick)
    let servers = [EchoServer.epoll, .libevent, .libuv, .threads] + Self.hawt + [.dispatch, .dispatchDefault, .nio]
    var results: [Int: Results] = [:]
    for count in Self.counts {
      let subjects = servers.map { $0.subject(EchoLoad(effort, connections: count)) }
      results[count] = try sampler.interleave(subjects, rounds: 3)
      results[count]!.printTable("echo, N=\(count)", ["requests-per-second", "p99-us"], ratio: Self.comparison)
    }
    let throughput = LineChart(
      title: "64-byte echo, one server thread: requests a second",
      horizontal: .init(title: "connections", ticks: Self.counts.map { (Double($0), "\($0)") }),
      vertical: "requests a second",
      lines: servers.map { server in
        .init(
          name: server.name,
          points: Self.counts.map { (Double($0), results[$0]!.series(server.name, "requests-per-second").median) })
      })
    let latency = LineChart(
      title: "the same, N=\(Self.latencyCount): latency",
      horizontal: .init(title: "share of the requests", ticks: Self.percentiles.map { (1 / (1 - $0.0), $0.1) }),
      vertical: "µs",
      lines: servers.map { server in
        .init(
          name: server.name,
          points: zip(Self.percentiles, Self.percentileKeys).map { percentile, key in
            (1 / (1 - percentile.0), results[Self.latencyCount]!.series(server.name, key).median)
          })
      })
    try Picture(charts: [throughput, latency]).write(to: path)
  }

  private static let hawt = backends.flatMap { [EchoServer.hawt("reactor", $0), .hawt("proactor", $0)] }
  private static let comparison = (key: "requests-per-second", peer: "C epoll")
}
