import Glibc
import HawtSockets

/// One client connection: at most one request under way, every byte checked by its position in the stream.
///
/// ```
///   running ── the last answer is there: finish() ──► finished ── the server has closed, too ──► ended
///      └────── closed or reset by the server ──► broken
/// ```
struct LoadConnection {
  enum Phase {
    case running
    /// The server was told that nothing follows: whatever still comes is too much.
    case finished
    case ended
    /// The server broke it off before its time was up: a fault, even if nothing was owed at that moment.
    case broken
  }

  enum Progress {
    /// The kernel takes no more for now.
    case wantsToWrite
    case waiting
    case answered
    /// Nothing more will come.
    case closed(why: String)
  }

  let descriptor: CInt
  private let pattern: BytePattern
  private(set) var phase = Phase.running
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
  private var isBusy: Bool { received < requestEnd }

  mutating func start(size: Int, now: UInt64, using buffer: UnsafeMutableRawBufferPointer) -> Progress {
    requestEnd += size
    startedAt = now
    return write(using: buffer)
  }

  /// Sends what is left of the request, in pieces of the buffer's size.
  mutating func write(using buffer: UnsafeMutableRawBufferPointer) -> Progress {
    while phase == .running && sent < requestEnd {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, requestEnd - sent)])
      pattern.fill(piece, from: sent)
      let result = SocketSystems.kernel.write(descriptor, UnsafeRawBufferPointer(piece))
      if result == -Int(EAGAIN) { return .wantsToWrite }
      guard result >= 0 else { return .closed(why: refusal(.write, result)) }
      sent += result
    }
    return .waiting
  }

  /// Reads once and checks it.
  mutating func read(using buffer: UnsafeMutableRawBufferPointer) -> Progress {
    let result = SocketSystems.kernel.read(descriptor, into: buffer)
    if result == -Int(EAGAIN) { return .waiting }
    if result == 0 { return .closed(why: "the server closed it") }
    guard result > 0 else { return .closed(why: refusal(.read, result)) }
    // More than was asked can belong nowhere.
    let due = min(result, owed)
    misordered += pattern.mismatches(UnsafeRawBufferPointer(rebasing: buffer[..<due]), from: received) + result - due
    received += result
    return isBusy || phase != .running ? .waiting : .answered
  }

  /// Tells the server that nothing follows; its end of the stream is then the proof that it sent nothing too much.
  mutating func finish() {
    phase = .finished
    _ = SocketSystems.kernel.finishWriting(descriptor)
  }

  /// Notes that nothing more will come.
  mutating func end() { phase = phase == .running ? .broken : .ended }

  private func refusal(_ operation: SocketError.Operation, _ result: Int) -> String {
    "\(SocketError.system(operation, subject: "the server's connection", errno: CInt(-result)))"
  }
}
