import Glibc
import Testing

@testable import hawt_echo

/// The server as a process, by a client that has nothing of the library: what it answers, and how it ends.
@Suite("hawt-echo serve", .timeLimit(.minutes(5)))
struct ServeTests {
  struct Choice: Sendable, CustomTestStringConvertible {
    let backend: BackendChoice
    let style: Style
    var testDescription: String { "\(style.rawValue) on \(backend.rawValue)" }

    func serve(_ signals: EchoProcess.Signals = .untouched) throws -> (EchoProcess, port: UInt16) {
      let server = try EchoProcess(
        ["serve", "--backend", backend.rawValue, "--style", style.rawValue, "--threads", "2", "--port", "0"],
        signals: signals)
      return (server, try server.port())
    }
  }

  static let choices = BackendChoice.builtIn.flatMap { backend in
    Style.allCases.map { Choice(backend: backend, style: $0) }
  }

  /// What a busy machine may add to what is promised in seconds.
  private static let slack = 30.0

  @Test("It answers plain clients byte for byte, and a signal ends it", arguments: choices)
  func answers(choice: Choice) throws {
    let (server, port) = try choice.serve()
    let clients = try (0..<5).map { _ in try PlainClient(to: port) }
    var position = 0
    for size in [1, 7, 4096, 100_000, 3] {
      // All have a request under way before the first is answered, and each its own bytes.
      let requests = clients.indices.map { pattern(position + $0..<position + $0 + size) }
      for (client, request) in zip(clients, requests) { try client.write(request) }
      for (client, request) in zip(clients, requests) { #expect(try client.read(size) == request) }
      position += size
    }
    server.send(SIGINT)
    for client in clients {
      #expect(try client.readToEnd() == [])
      client.close()
    }
    let end = try server.ended()
    #expect(end.code == 0 && end.text.isEmpty, "\(end)")
  }

  @Test(
    "After a signal it accepts nobody, answers all that it has read, and exits with 0", arguments: choices,
    [SIGINT, SIGTERM])
  func answersWhatItHasRead(choice: Choice, signal: CInt) throws {
    // The server's time for its answers is bounded. Where the machine held up this client for so long, another try tells.
    for _ in 0..<5 {
      let (server, port) = try choice.serve()
      let client = try PlainClient(to: port, receiveBuffer: 16 * 1024)
      let sent = try Self.leaveOwing(port, client)
      let began = now()
      server.send(signal)
      // Nothing is read before it has stopped accepting, or it would owe nothing any more when it does.
      try Self.waitUntilTurnedAway(at: port)
      let answer = try client.readToEnd()
      if answer.count < sent && now() - began > 1 { continue }
      #expect(answer.count == sent && answer == pattern(0..<sent), "\(answer.count) bytes of \(sent)")
      client.close()
      let end = try server.ended()
      #expect(end.code == 0 && end.text.isEmpty, "\(end)")
      #expect(now() - began < 2 + Self.slack)
      return
    }
    Issue.record("five times it went on accepting, or its answers came short, while the machine was too busy to tell")
  }

  @Test("A peer that never reads holds it for no more than its time", arguments: choices)
  func peerThatNeverReads(choice: Choice) throws {
    let (server, port) = try choice.serve()
    let client = try PlainClient(to: port, receiveBuffer: 16 * 1024)
    _ = try Self.leaveOwing(port, client)
    let began = now()
    server.send(SIGTERM)
    let end = try server.ended()
    #expect(end.code == 0 && end.text.isEmpty, "\(end)")
    #expect((1...2 + Self.slack).contains(now() - began), "the peer had \(now() - began) s to read")
    withExtendedLifetime(client) {}
    #expect(EchoServer.stopLimit + EchoServer.closeLimit + EchoServer.shutdownLimit <= .seconds(2))
  }

  @Test("More signals while it stops change nothing", arguments: choices.filter { $0.style == .reactor })
  func manySignals(choice: Choice) throws {
    let (server, port) = try choice.serve()
    let client = try PlainClient(to: port, receiveBuffer: 16 * 1024)
    _ = try Self.leaveOwing(port, client)
    let end = now() + EchoProcess.patience
    while !server.isOver && now() < end {
      for signal in [SIGINT, SIGTERM] { server.send(signal) }
      usleep(1000)
    }
    let result = try server.ended()
    #expect(result.code == 0 && result.text.isEmpty, "\(result)")
    withExtendedLifetime(client) {}
  }

  @Test(
    "It ends by a signal that it finds ignored or blocked", arguments: choices,
    [EchoProcess.Signals.ignored, .blocked])
  func untimelySignals(choice: Choice, signals: EchoProcess.Signals) throws {
    let (server, _) = try choice.serve(signals)
    server.send(SIGINT)
    let end = try server.ended()
    #expect(end.code == 0 && end.text.isEmpty, "\(end)")
  }

  /// Sends, and reads nothing, until the server has read all of it and holds answers that the kernel does not take from
  /// it; returns how many bytes those were.
  private static func leaveOwing(_ port: UInt16, _ client: PlainClient) throws -> Int {
    // Well below the high-water mark, at which the server would stop reading, and more than is on its way from a read to
    // a write at any moment.
    let (piece, owed) = (32 * 1024, 128 * 1024)
    var sent = 0
    let end = now() + EchoProcess.patience
    while now() < end {
      let queues = try KernelQueues(of: client.descriptor, to: port)
      if queues.unreadByServer > 0 {
        usleep(1000)
      } else if sent - queues.unreadByClient >= owed {
        return sent
      } else {
        try client.write(pattern(sent..<sent + piece))
        sent += piece
      }
    }
    throw NeverOwing()
  }

  private static func waitUntilTurnedAway(at port: UInt16) throws {
    let end = now() + EchoProcess.patience
    while try !PlainClient.isTurnedAway(at: port) {
      try #require(now() < end, "it goes on accepting")
      usleep(1000)
    }
  }

  private struct NeverOwing: Error {}
}
