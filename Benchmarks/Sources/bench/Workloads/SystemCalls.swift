import CSupport

/// Counts the system calls of a server under load with strace, which is attached when the connections are made and
/// detached before they are closed: only the steady state is counted.
struct SystemCalls {
  /// All system calls for each echo.
  let perEcho: Double
  /// `epoll_ctl` alone.
  let controlPerEcho: Double

  private static let tracer = "/usr/bin/strace"
  /// Fewer would let what happens now and then weigh too much.
  private static let fewestEchoes: Double = 1000
  /// Long enough for so many, traced and on a busy machine.
  private static let seconds: Double = 2

  /// On a busy machine fewer requests are ready at a wait, which says nothing about the server: the best of some tries.
  static func count(_ server: EchoServer, _ load: EchoLoad, atMost goal: Double = 2.05) throws -> SystemCalls {
    var best = try countOnce(server, load)
    for _ in 1..<attempts where best.perEcho > goal {
      let next = try countOnce(server, load)
      if next.perEcho < best.perEcho { best = next }
    }
    return best
  }

  private static let attempts = 5

  private static func countOnce(_ server: EchoServer, _ load: EchoLoad) throws -> SystemCalls {
    var load = load
    load.seconds = seconds
    let child = try Child(server.program, server.arguments, cpu: bench_usable_cpu(0))
    let port = Int(try child.figure("port"))
    // On the server's own CPU the client sends for all connections before the server is back: whole batches.
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
