import Glibc
import HawtSockets
import Testing

/// A peer on bare system calls, so that a test decides when it reads, writes, and leaves.
final class PlainPeer {
  private(set) var descriptor: CInt

  /// Connects and waits for it: the listener's backlog answers, whether or not anybody accepts.
  init(to address: SocketAddress, receiveBuffer: CInt? = nil) throws {
    let system = SocketSystems.kernel
    descriptor = system.open(address.family, .stream)
    if let receiveBuffer { _ = system.set(.receiveBuffer, receiveBuffer, on: descriptor) }
    var result = system.connect(descriptor, address)
    if result == -EINPROGRESS {
      waitFor(POLLOUT)
      result = system.connectResult(descriptor)
    }
    try #require(result == 0, "connect to \(address): errno \(-result)")
  }

  /// Becomes the owner of a stream socket that is connected already.
  init(adopting descriptor: CInt) { self.descriptor = descriptor }

  deinit { close() }

  func write(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { SocketSystems.kernel.write(descriptor, $0) }
      if count == -Int(EAGAIN) {
        waitFor(POLLOUT)
        continue
      }
      try #require(count > 0, "write: errno \(-count)")
      rest = rest.dropFirst(count)
    }
  }

  /// Writes as much as fits without waiting; returns how much that was.
  func writeWhatFits(_ bytes: [UInt8]) -> Int {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { SocketSystems.kernel.write(descriptor, $0) }
      guard count > 0 else { break }
      written += count
    }
    return written
  }

  /// Waits for exactly `count` bytes; fewer at the end of the stream.
  func read(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count, let more = try readSome(atMost: count - bytes.count) { bytes += more }
    return bytes
  }

  /// Waits for everything up to the end of the stream.
  func readToEnd() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let more = try readSome(atMost: 65536) { bytes += more }
    return bytes
  }

  /// Waits for at least one byte; nil at the end.
  func readSome(atMost limit: Int) throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: limit)
    while true {
      let count = buffer.withUnsafeMutableBytes { SocketSystems.kernel.read(descriptor, into: $0) }
      if count == -Int(EAGAIN) {
        waitFor(POLLIN)
        continue
      }
      try #require(count >= 0, "read: errno \(-count)")
      return count == 0 ? nil : Array(buffer[..<count])
    }
  }

  func finishWriting() { _ = SocketSystems.kernel.finishWriting(descriptor) }

  /// Closes so that the other side sees a reset and not an end.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  func close() {
    guard descriptor >= 0 else { return }
    SocketSystems.kernel.close(descriptor)
    descriptor = -1
  }

  private func waitFor(_ events: CInt) {
    var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while poll(&request, 1, 30_000) < 0 && errno == EINTR {}
  }
}
