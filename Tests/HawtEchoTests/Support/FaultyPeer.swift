import Glibc
import Testing

/// An echo server for one connection, on blocking system calls and a thread of its own, that commits one fault.
final class FaultyPeer: @unchecked Sendable {
  // Sound as Sendable: what is not constant is touched on the thread alone, and after its end.

  enum Fault: String, CaseIterable, Sendable {
    case none, closes, resets, flipsAByte, dropsBytes, sendsTooMuch, sendsTooMuchAtTheEnd, floods, neverAnswers
    case neverReads, keepsOpen
  }

  let port: UInt16
  private let fault: Fault
  private let size: Int
  private let listener: CInt
  private var connection: CInt = -1
  private var thread = pthread_t()

  /// - Parameter size: how many bytes a request has.
  init(_ fault: Fault, size: Int) throws {
    self.fault = fault
    self.size = size
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try #require(withPlainLoopback(port: 0) { bind(listener, $0, $1) } == 0 && listen(listener, 8) == 0)
    self.listener = listener
    port = plainPort(of: listener)
    Self.limit(listener)
    let box = Unmanaged.passRetained(self)
    let result = pthread_create(
      &thread, nil,
      { box in
        Unmanaged<FaultyPeer>.fromOpaque(box!).takeRetainedValue().serve()
        return nil
      }, box.toOpaque())
    try #require(result == 0)
  }

  /// Ends the thread; call it when the client is gone.
  func join() {
    pthread_join(thread, nil)
    if connection >= 0 { close(connection) }
    close(listener)
  }

  private func serve() {
    connection = accept(listener, nil, nil)
    guard connection >= 0 else { return }
    Self.limit(connection)
    if fault == .neverReads { return }
    var requests = 0
    while var bytes = request() {
      requests += 1
      guard answer(&bytes, requests) else { return }
    }
    switch fault {
    case .keepsOpen: return
    case .sendsTooMuchAtTheEnd: _ = write([0])
    default: break
    }
    hangUp()
  }

  /// Answers a request; false if nothing follows.
  private func answer(_ bytes: inout [UInt8], _ number: Int) -> Bool {
    guard fault != .neverAnswers else { return true }
    guard number == 2 else { return write(bytes) }
    switch fault {
    case .closes, .resets:
      _ = write(bytes)
      var option = linger(l_onoff: fault == .resets ? 1 : 0, l_linger: 0)
      setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
      hangUp()
      return false
    case .flipsAByte: bytes[size / 2] ^= 0x10
    case .dropsBytes: bytes.removeSubrange(size / 2..<size / 2 + 3)
    case .sendsTooMuch: bytes += bytes
    case .floods: while write(bytes) {}
    default: break
    }
    return write(bytes)
  }

  /// A whole request; nil at the end.
  private func request() -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: size)
    return recv(connection, &bytes, size, CInt(MSG_WAITALL)) == size ? bytes : nil
  }

  private func write(_ bytes: [UInt8]) -> Bool {
    send(connection, bytes, bytes.count, CInt(MSG_NOSIGNAL)) == bytes.count
  }

  private func hangUp() {
    close(connection)
    connection = -1
  }

  /// No call waits for ever for a client that does not come.
  private static func limit(_ descriptor: CInt) {
    var limit = timeval(tv_sec: Int(EchoProcess.patience), tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
  }
}
