import Glibc
import HawtSockets

/// One client connection: at most one request under way, every byte checked by its position in the stream.
struct LoadConnection {
  enum Progress {
    /// The kernel takes no more for now.
    case wantsToWrite
    case waiting
    case answered
    case broken(SocketError)
  }

  let descriptor: CInt
  private let pattern: BytePattern
  private(set) var sent = 0
  private(set) var received = 0
  private(set) var misordered = 0
  private(set) var startedAt: UInt64 = 0
  /// The stream position at which the request under way ends.
  private var requestEnd = 0

  init(descriptor: CInt, stream: Int) {
    self.descriptor = descriptor
    pattern = BytePattern(stream: stream)
  }

  /// Bytes that the server has and did not answer.
  var owed: Int { max(0, sent - received) }
  var isBusy: Bool { received < requestEnd }

  mutating func start(size: Int, now: UInt64, using buffer: UnsafeMutableRawBufferPointer) -> Progress {
    requestEnd += size
    startedAt = now
    return write(using: buffer)
  }

  /// Sends what is left of the request, in pieces of the buffer's size.
  mutating func write(using buffer: UnsafeMutableRawBufferPointer) -> Progress {
    while sent < requestEnd {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, requestEnd - sent)])
      pattern.fill(piece, from: sent)
      let result = SocketSystems.kernel.write(descriptor, UnsafeRawBufferPointer(piece))
      if result == -Int(EAGAIN) { return .wantsToWrite }
      guard result >= 0 else { return .broken(failure(.write, result)) }
      sent += result
    }
    return .waiting
  }

  /// Reads once and checks it.
  mutating func read(using buffer: UnsafeMutableRawBufferPointer) -> Progress {
    let result = SocketSystems.kernel.read(descriptor, into: buffer)
    if result == -Int(EAGAIN) { return .waiting }
    if result == 0 { return .broken(.closed(subject: "the server's end")) }
    guard result > 0 else { return .broken(failure(.read, result)) }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<result])
    misordered += pattern.mismatches(bytes, from: received)
    // More than was asked can belong nowhere.
    misordered += max(0, received + result - sent)
    received += result
    return isBusy ? .waiting : .answered
  }

  private func failure(_ operation: SocketError.Operation, _ result: Int) -> SocketError {
    .system(operation, subject: "the server's connection", errno: CInt(-result))
  }
}
