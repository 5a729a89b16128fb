import Glibc
import Testing

/// What the kernel holds of both directions of a loopback connection: the one way to see from outside how far a server
/// has read. Of the server's end, the kernel's table of sockets tells it.
struct KernelQueues {
  /// Sent to the server, not read by it.
  let unreadByServer: Int
  /// Written by the server, not read by its client: in either end's buffer. What has just arrived may count twice.
  let unreadByClient: Int

  /// - Parameters:
  ///   - client: the client's end.
  ///   - server: the port at which the server listens.
  init(of client: CInt, to server: UInt16) throws {
    // Each direction is followed from where bytes leave to where they arrive, so that none escapes in between.
    let unsentByClient = try Self.count(client, UInt(TIOCOUTQ))
    let serverEnd = try Self.entry(local: server, remote: plainPort(of: client))
    unreadByServer = unsentByClient + serverEnd.unread
    unreadByClient = serverEnd.unsent + (try Self.count(client, UInt(FIONREAD)))
  }

  private static func count(_ descriptor: CInt, _ request: UInt) throws -> Int {
    var count: CInt = 0
    try #require(ioctl(descriptor, request, &count) == 0)
    return Int(count)
  }

  private static func entry(local: UInt16, remote: UInt16) throws -> (unsent: Int, unread: Int) {
    let file = try #require(fopen("/proc/net/tcp", "re"))
    defer { fclose(file) }
    let ends = [local, remote].map { port in
      let digits = String(port, radix: 16, uppercase: true)
      return ":" + String(repeating: "0", count: 4 - digits.count) + digits + " "
    }
    var buffer = [CChar](repeating: 0, count: 512)
    while let line = fgets(&buffer, CInt(buffer.count), file) {
      // Of a machine's thousands of sockets few are worth the time that it takes to split a line.
      guard strstr(line, ends[0]) != nil && strstr(line, ends[1]) != nil else { continue }
      // Number, both addresses as ADDRESS:PORT, state, bytes as UNSENT:UNREAD, and more; all hexadecimal.
      let words = String(cString: line).split(separator: " ")
      guard words.count > 4, words[1].hasSuffix(ends[0].dropLast()), words[2].hasSuffix(ends[1].dropLast()) else {
        continue
      }
      let bytes = words[4].split(separator: ":").compactMap { Int($0, radix: 16) }
      try #require(bytes.count == 2, "\(words)")
      return (bytes[0], bytes[1])
    }
    throw NotListed(local: local, remote: remote)
  }

  private struct NotListed: Error {
    let local: UInt16
    let remote: UInt16
  }
}
