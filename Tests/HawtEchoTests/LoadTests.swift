import Glibc
import Testing

@testable import hawt_echo

/// The client as a process, against a server that has nothing of the library: each fault is told, and fails.
@Suite("hawt-echo load", .timeLimit(.minutes(5)))
struct LoadTests {
  /// A fault, and what the client must print of it.
  static let told: [(FaultyPeer.Fault, [String])] = [
    (.closes, ["connection 0: ", "1 of 1 connections were broken off"]),
    (.resets, ["connection 0: ", "1 of 1 connections were broken off"]),
    (.flipsAByte, ["1 bytes were out of order"]),
    (.dropsBytes, ["3 bytes were lost", "bytes were out of order"]),
    (.sendsTooMuch, ["bytes were out of order"]),
    (.sendsTooMuchAtTheEnd, ["1 bytes were out of order"]),
    (.floods, ["bytes were out of order"]),
    (.neverAnswers, ["100 bytes were lost", "no request was answered"]),
  ]

  @Test("Each fault of a server is told, and the exit code is 1", arguments: told)
  func tellsFaults(fault: FaultyPeer.Fault, words: [String]) throws {
    let end = try Self.load(fault, size: 100)
    #expect(end.code == 1, "\(end.text)")
    for word in words { #expect(end.text.contains(word), "\(end.text)") }
  }

  @Test("A server that reads nothing does not hold the client")
  func serverThatNeverReads() throws {
    let end = try Self.load(.neverReads, size: 16 << 20)
    #expect(end.code == 1 && end.text.contains("bytes were lost"), "\(end.text)")
  }

  @Test(
    "A server without fault passes, also one that leaves it to the client to go",
    arguments: [.none, .keepsOpen] as [FaultyPeer.Fault])
  func passes(fault: FaultyPeer.Fault) throws {
    let end = try Self.load(fault, size: 100)
    #expect(end.code == 0, "\(end.text)")
    let line = /load connections 1 requests \d+ .* lost 0 misordered 0 broken 0\n/
    #expect(end.text.wholeMatch(of: line) != nil, "\(end.text)")
  }

  @Test("A connection that breaks while it owes nothing counts")
  func breaksOwingNothing() throws {
    var ends: [CInt] = [-1, -1]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    defer { close(ends[0]) }
    var connection = LoadConnection(descriptor: ends[0], stream: 0)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 1)
    defer { buffer.deallocate() }
    guard case .waiting = connection.start(size: 100, now: 0, using: buffer) else {
      Issue.record("not sent")
      return
    }
    var bytes = [UInt8](repeating: 0, count: 100)
    #expect(read(ends[1], &bytes, 100) == 100 && write(ends[1], bytes, 100) == 100)
    guard case .answered = connection.read(using: buffer) else {
      Issue.record("not answered")
      return
    }
    close(ends[1])
    // The request cannot even be sent, and so the server owes no answer.
    guard case .closed = connection.start(size: 100, now: 0, using: buffer) else {
      Issue.record("not closed")
      return
    }
    connection.end()
    #expect(connection.owed == 0 && connection.misordered == 0 && connection.phase == .broken)
    #expect(LoadReport(connections: 1, requests: 1, broken: 1).faults.count == 1)
  }

  private static func load(_ fault: FaultyPeer.Fault, size: Int) throws -> (code: Int, text: String) {
    let peer = try FaultyPeer(fault, size: size)
    defer { peer.join() }
    let client = try EchoProcess([
      "load", "--port", "\(peer.port)", "--connections", "1", "--seconds", "1", "--size", "\(size)",
    ])
    return try client.ended()
  }
}
