import CLinux
import Glibc
import Synchronization

/// What one attempt to read brought.
enum Received: Sendable, Hashable {
  case bytes([UInt8])
  case endOfFile
  case wouldBlock
  case failed(CInt)
}

/// A non-blocking descriptor that is closed once, whoever closes it.
final class Descriptor: Sendable {
  let number: CInt
  private let isOpen = Atomic<Bool>(true)

  init(_ number: CInt) { self.number = number }

  deinit { close() }

  /// Closes it, unless that was done before: its number may be somebody else's by then.
  func close() {
    if isOpen.exchange(false, ordering: .sequentiallyConsistent) { _ = Glibc.close(number) }
  }

  /// Makes its number stand for the file of `other`, in one step, so that no other thread can take the number between.
  func become(_ other: Descriptor) {
    let code = dup2(other.number, number)
    precondition(code == number, "the kit could not reuse descriptor \(number): errno \(errno)")
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
  }

  /// After `close` the number may be somebody else's: nothing is read from it or written to it any more.
  private var isUsable: Bool { isOpen.load(ordering: .sequentiallyConsistent) }

  /// Another number for the same file, `least` or more.
  func duplicate(from least: CInt = 0) -> Descriptor { Descriptor(fcntl(number, F_DUPFD_CLOEXEC, least)) }

  // MARK: Bytes

  /// Reads once, `limit` bytes at most.
  @discardableResult
  func receive(_ limit: Int = 65_536) -> Received {
    guard isUsable else { return .failed(EBADF) }
    var bytes = [UInt8](repeating: 0, count: limit)
    while true {
      let length = bytes.withUnsafeMutableBytes { read(number, $0.baseAddress, $0.count) }
      if length > 0 { return .bytes(Array(bytes.prefix(length))) }
      if length == 0 { return .endOfFile }
      if errno == EAGAIN { return .wouldBlock }
      if errno != EINTR { return .failed(errno) }
    }
  }

  /// Reads until there is no more; says how many bytes came and what ended them.
  @discardableResult
  func receiveAll() -> (count: Int, end: Received) {
    var count = 0
    while true {
      let received = receive()
      guard case .bytes(let bytes) = received else { return (count, received) }
      count += bytes.count
    }
  }

  /// How many bytes have come and were not read.
  var available: Int {
    guard isUsable else { return 0 }
    var count: CInt = 0
    return ioctl(number, UInt(FIONREAD), &count) < 0 ? 0 : Int(count)
  }

  /// Writes `bytes`; returns how many were taken, or the negative errno.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int {
    guard isUsable else { return -Int(EBADF) }
    while true {
      let length = withoutBrokenPipeSignal { bytes.withUnsafeBytes { write(number, $0.baseAddress, $0.count) } }
      if length >= 0 { return length }
      if errno != EINTR { return -Int(errno) }
    }
  }

  /// Writes `count` zero bytes.
  @discardableResult
  func send(count: Int) -> Int { send([UInt8](repeating: 0, count: count)) }

  /// Writes until nothing more is taken; returns how many bytes were.
  @discardableResult
  func fill() -> Int {
    var total = 0
    for size in [65_536, 1_024, 1] {
      while true {
        let length = send(count: size)
        guard length > 0 else { break }
        total += length
      }
    }
    return total
  }

  /// Adds one to an eventfd.
  func ring() {
    guard isUsable else { return }
    var one: UInt64 = 1
    _ = write(number, &one, 8)
  }

  // MARK: Sockets

  /// Has the system keep as little as it may of what was written and not yet read.
  func limitRoom() {
    var size: CInt = 1
    setsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<CInt>.size))
  }

  /// Sends the end of file and goes on receiving.
  func shutDownWriting() { _ = shutdown(number, CInt(SHUT_WR)) }

  /// Has the next close answer the peer with a reset.
  func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(number, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// The error that the socket keeps for its owner; reading it takes it away.
  func takeSocketError() -> CInt {
    var code: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size)
    return code
  }
}

/// The threads of a check are not the library's: nobody masked SIGPIPE on them, and the process's disposition is not
/// the kit's to change.
private func withoutBrokenPipeSignal<Value>(_ body: () -> Value) -> Value {
  var pipeSignal = sigset_t()
  var before = sigset_t()
  sigemptyset(&pipeSignal)
  sigaddset(&pipeSignal, SIGPIPE)
  pthread_sigmask(SIG_BLOCK, &pipeSignal, &before)
  let value = body()
  let code = errno
  if code == EPIPE && sigismember(&before, SIGPIPE) == 0 {
    var none = timespec()
    sigtimedwait(&pipeSignal, nil, &none)
  }
  pthread_sigmask(SIG_SETMASK, &before, nil)
  errno = code
  return value
}
