import CSupport

/// An echo server of the suite.
struct EchoServer {
  let name: String
  let program: String
  var arguments: [String] = []
  /// More arguments when it is traced: whatever it does by the clock has to be stretched as its calls are.
  var whenTraced: [String] = []

  static let epoll = EchoServer(name: "C epoll", program: "echo-epoll")

  static let libevent = EchoServer(name: "C libevent", program: "echo-libevent")
  static let libuv = EchoServer(name: "C libuv", program: "echo-libuv")
  static let threads = EchoServer(name: "C blocking threads", program: "echo-threads")
  static let dispatch = EchoServer(name: "libdispatch", program: "echo-dispatch")
  static let dispatchDefault = EchoServer(
    name: "libdispatch default", program: "echo-dispatch", arguments: ["--default", "1"])
  static let nio = EchoServer(name: "SwiftNIO", program: "echo-nio")

  static func hawt(
    _ style: String, _ backend: String, threads: Int = 1, migrating: Bool = false
  ) -> EchoServer {
    EchoServer(
      name: "hawt \(style) \(backend)", program: "echo-hawt",
      arguments: [
        "--style", style, "--backend", backend, "--threads", "\(threads)", "--migrate", migrating ? "1" : "0",
      ],
      // A call that takes microseconds takes a hundred of them when it is traced.
      whenTraced: ["--poll-interval-us", "100000"])
  }
}

/// What the load client does.
struct EchoLoad {
  var connections = 50
  var idle = 0
  var flooding = 0
  /// Whether all connections send, and again when all have been answered.
  var inBatches = false
  var seconds: Double
  var warmUp: Double

  init(_ effort: Effort, connections: Int = 50, idle: Int = 0) {
    (self.connections, self.idle) = (connections, idle)
    (seconds, warmUp) = (effort.seconds, effort.warmUp)
  }

  func arguments(port: Int) -> [String] {
    [
      "--port", "\(port)", "--connections", "\(connections)", "--idle", "\(idle)", "--flood", "\(flooding)",
      "--seconds", "\(seconds)", "--warm-up", "\(warmUp)",
      "--batches", inBatches ? "1" : "0",
    ]
  }
}

extension EchoServer {
  /// The server on one CPU, the client on another.
  ///
  /// - Parameters:
  ///   - command: what the server is told when the measurement begins.
  ///   - pinned: false: both on all CPUs.
  func subject(
    _ load: EchoLoad, as name: String? = nil, command: String? = nil, pinned: Bool = true
  ) -> Subject {
    Subject(name: name ?? self.name) {
      // With a single CPU both share it.
      let cpus: [CInt?] = pinned ? [bench_usable_cpu(0), max(bench_usable_cpu(1), bench_usable_cpu(0))] : [nil, nil]
      let server = try Child(program, arguments, cpu: cpus[0])
      let port = Int(try server.figure("port"))
      let bytes = try server.ask("memory")
      let client = try Child("echo-load", load.arguments(port: port), cpu: cpus[1])
      _ = try client.figure("measuring")
      if let command { _ = try server.ask(command) }
      let before = try server.ask("cpu")
      var figures = try client.figures(through: "evenness")
      figures["server-us"] = (try server.ask("cpu") - before) * 1e6 / (figures["requests"] ?? .nan)
      figures["bytes-per-connection"] = (try server.ask("memory") - bytes) / Double(load.connections + load.idle)
      figures["cpu-seconds"] = try client.finish()["cpu-seconds"]
      figures.add("cpu-seconds", try server.stop())
      return figures
    }
  }
}
