import Glibc
import HawtDispatch

/// Takes commands as lines on standard input and answers each with a line on standard output.
///
/// A source like any other watches the input, so the demonstration also shows one on a pipe.
final class ControlChannel: @unchecked Sendable {
  // Sound as Sendable: `line` is touched on the server's queue alone.

  private let server: EchoServer
  private let source: ReadinessSource
  private var line: [UInt8] = []

  init(server: EchoServer) throws {
    self.server = server
    source = server.queue.dispatcher.makeReadSource(STDIN_FILENO, target: server.queue)
    source.setEventHandler { [self] _ in read() }
    try source.activate()
  }

  func close() { source.cancel() }

  /// One read per readiness cannot block, so standard input need not be made non-blocking for whoever shares it.
  private func read() {
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
    guard count > 0 else {
      if count < 0 && (errno == EINTR || errno == EAGAIN) { return }
      // Whoever started this server is gone.
      source.cancel()
      return server.stop()
    }
    for byte in buffer[..<count] {
      guard byte == UInt8(ascii: "\n") else {
        line.append(byte)
        continue
      }
      obey(String(decoding: line, as: UTF8.self))
      line.removeAll()
    }
  }

  private func obey(_ command: String) {
    switch command {
    case "migrate": server.migrate { Output.line("migrated \($0)") }
    case "statistics": server.tally { Output.line($0.line) }
    default: Output.line("unknown command '\(command)': say `migrate` or `statistics`")
    }
  }
}
