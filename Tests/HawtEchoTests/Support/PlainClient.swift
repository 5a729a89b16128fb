import Glibc
import Testing

/// A client on blocking system calls and nothing of the library. What does not come in time fails, and never hangs.
final class PlainClient {
  private(set) var descriptor: CInt

  /// - Parameter receiveBuffer: how much may lie unread in the kernel, about.
  convenience init(to port: UInt16, receiveBuffer: CInt? = nil) throws {
    let descriptor = Self.connect(to: port, receiveBuffer: receiveBuffer)
    try #require(descriptor >= 0, "connect: errno \(-descriptor)")
    try self.init(adopting: descriptor)
  }

  init(adopting descriptor: CInt) throws {
    self.descriptor = descriptor
    var limit = timeval(tv_sec: Int(EchoProcess.patience), tv_usec: 0)
    // A piece that waits for the acknowledgement of the one before it would cost 40 ms.
    var yes: CInt = 1
    setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<CInt>.size))
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
  }

  deinit { close() }

  func close() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  /// A connected socket, or the error's number, negative.
  private static func connect(to port: UInt16, receiveBuffer: CInt?) -> CInt {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if var size = receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
      // The sender's buffer grows with the size of segments, which on loopback is 64 KiB: to megabytes.
      var segment: CInt = 1000
      setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_MAXSEG, &segment, socklen_t(MemoryLayout<CInt>.size))
    }
    let result = withPlainLoopback(port: port) { Glibc.connect(descriptor, $0, $1) }
    guard result != 0 else { return descriptor }
    defer { Glibc.close(descriptor) }
    return -errno
  }

  func write(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count < 0 && errno == EINTR { continue }
      try #require(count > 0, "send: errno \(errno)")
      rest = rest.dropFirst(count)
    }
  }

  /// Exactly `count` bytes; fewer if the stream ends, or is reset, before.
  func read(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = try readSome(atMost: count - bytes.count) { bytes += more }
    return bytes
  }

  /// Everything up to the end of the stream, or to its reset.
  func readToEnd() throws -> [UInt8] { try read(.max) }

  /// What is there, at least one byte; nil at the end.
  private func readSome(atMost limit: Int) throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: min(limit, 65536))
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0 && errno == EINTR { continue }
      if count < 0 && errno == ECONNRESET { return nil }
      try #require(count >= 0, "recv: errno \(errno)")
      return count == 0 ? nil : Array(buffer[..<count])
    }
  }

  /// Whether a new connection is refused or reset, and not accepted.
  static func isTurnedAway(at port: UInt16) throws -> Bool {
    let descriptor = connect(to: port, receiveBuffer: nil)
    guard descriptor >= 0 else { return descriptor == -ECONNREFUSED || descriptor == -ECONNRESET }
    // Between the end of accepting and that of listening the kernel still completes connections, to reset them.
    let client = try PlainClient(adopting: descriptor)
    var byte: UInt8 = 1
    guard send(descriptor, &byte, 1, CInt(MSG_NOSIGNAL)) == 1 else { return errno == ECONNRESET || errno == EPIPE }
    let count = recv(client.descriptor, &byte, 1, 0)
    return count < 0 && errno == ECONNRESET
  }
}

/// Calls `body` with 127.0.0.1 and a port as the system takes them.
func withPlainLoopback<Result>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
  }
}

/// The port that a socket is bound to.
func plainPort(of descriptor: CInt) -> UInt16 {
  var address = sockaddr_in()
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  _ = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
  }
  return UInt16(bigEndian: address.sin_port)
}

/// Bytes whose value depends on their place, so that any shift shows. They repeat after a prime number of bytes, which
/// no buffer's size divides; copied from a table, because megabytes of them are made in unoptimized code.
func pattern(_ range: Range<Int>) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(range.count)
  while bytes.count < range.count {
    let place = (range.lowerBound + bytes.count) % patternTable.count
    bytes += patternTable[place..<min(patternTable.count, place + range.count - bytes.count)]
  }
  return bytes
}

private let patternTable: [UInt8] = (0..<65_521).map { UInt8(truncatingIfNeeded: ($0 &* 0x9E37_79B9) >> 13) }
