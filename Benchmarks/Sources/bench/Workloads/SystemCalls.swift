import CSupport

/// Counts the system calls of a server under load with strace, which is attached when the connections are made and
/// detached before they are closed: only the steady state is counted.
///
/// All connections send before the server is back, on whatever machine: client and server share a CPU, the server does
/// not preempt the client when it wakes (`SCHED_BATCH`), and the client sends again only when all have been answered.
struct SystemCalls {
  /// All system calls for each echo.
  let perEcho: Double
  /// `epoll_ctl` alone.
  let controlPerEcho: Double

  private static let tracer = "/usr/bin/strace"
  private static let scheduler = "/usr/bin/chrt"
  /// Fewer would let what happens now and then weigh too much.
  private static let fewestEchoes: Double = 1000
  /// Long enough for so many, traced and on a busy machine.
  private static let seconds: Double = 2

  static func count(_ server: EchoServer, _ load: EchoLoad) throws -> SystemCalls {
    var load = load
    load.seconds = seconds
    load.inBatches = true
    let child = try Child(
      scheduler, ["--batch", "0", Child.path(of: server.program)] + server.arguments + server.whenTraced,
      cpu: bench_usable_cpu(0))
    let port = Int(try child.figure("port"))
    let client = try Child(
      "echo-load", load.arguments(port: port), cpu: bench_usable_cpu(0))
    _ = try client.figure("measuring")
    let tracer = try Child(
      Self.tracer, ["-q", "-f", "-c", "-U", "name,calls", "-o", "/dev/stdout", "-p", "\(child.process)"], cpu: nil)
    _ = try client.figures(through: "evenness")
    let counts = parse(try tracer.interrupt())
    _ = try client.finish()
    _ = try child.stop()
    return try SystemCalls(counts, of: server)
  }

  private static func parse(_ lines: [String]) -> [String: Double] {
    var counts: [String: Double] = [:]
    for words in lines.map({ $0.split(separator: " ") }) where words.count == 2 && words[0] != "total" {
      if let count = Double(words[1]) { counts[String(words[0])] = count }
    }
    return counts
  }

  private init(_ counts: [String: Double], of server: EchoServer) throws {
    // Each echo is written with one call, whichever it is.
    let echoes = ["write", "sendto", "sendmsg", "writev"].compactMap { counts[$0] }.max() ?? 0
    guard echoes >= Self.fewestEchoes else {
      throw BenchError("strace saw \(Int(echoes)) echoes of \(server.name): may it trace? is the machine very busy?")
    }
    perEcho = counts.values.reduce(0, +) / echoes
    controlPerEcho = (counts["epoll_ctl"] ?? 0) / echoes
  }
}
