import ArgumentParser
import Glibc
import HawtDispatch
import HawtSockets

struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Echo what clients send, until SIGINT or SIGTERM.",
    discussion: "Then it stops accepting, answers what it has read, for at most 2 seconds, and exits with 0.")

  @Option(help: "What waits for readiness: \(BackendChoice.builtIn.map(\.rawValue).joined(separator: " or ")).")
  var backend: BackendChoice?
  @Option(help: "Whether a connection stays on one thread (reactor) or runs on any (proactor).")
  var style: Style = .reactor
  @Option(parsing: .unconditional, help: "How many workers; default: one per usable CPU.")
  var threads: Int?
  @Option(help: "The numeric address to listen at.")
  var host = "127.0.0.1"
  @Option(parsing: .unconditional, help: "The port; 0: any that is free, as printed.")
  var port = 7777
  @Flag(help: "Take commands on standard input: `statistics`, `migrate`; its end stops the server.")
  var control = false

  func validate() throws {
    _ = try address(host: host, port: port, from: 0)
    try check("--threads", threads, in: 1...1024)
    if let backend, backend.backend == nil {
      throw ValidationError("--backend \(backend.rawValue) is not built in; to have it, \(backend.howToHaveIt)")
    }
  }

  func run() throws {
    let dispatcher = try makeDispatcher()
    let stopped = Gate()
    let server = EchoServer(on: dispatcher, style: style) { stopped.open() }
    let signals = [SIGINT, SIGTERM]
    let sources = signals.map { number in
      dispatcher.makeSignalSource(number, target: server.queue) { _ in server.stop() }
    }
    for source in sources { try source.activate() }
    unblock(signals)
    let channel = control ? try ControlChannel(server: server) : nil
    Output.line("listening \(try server.start(at: address(host: host, port: port, from: 0)))")
    stopped.wait()
    channel?.close()
    let report = dispatcher.shutdownAndWait(deadline: EchoServer.shutdownLimit)
    if !report.isClean { Output.error("stopped with work left: \(report)") }
    // To the very end: without them, another signal would end the process by itself, with another exit code.
    withExtendedLifetime((sources, dispatcher)) { Glibc.exit(0) }
  }

  /// A process inherits what its parent has blocked, and no thread would take these signals then.
  private func unblock(_ signals: [CInt]) {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
  }

  private func makeDispatcher() throws -> Dispatcher {
    var configuration = Configuration(name: "hawt-echo", workers: threads)
    if let backend { configuration.backend = backend.backend }
    return try Dispatcher(configuration: configuration)
  }
}
