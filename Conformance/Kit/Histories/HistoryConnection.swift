import Glibc

/// A connection of a history: the library watches the near end, the history plays the peer with the far one. Its bytes
/// count up from a number of its own, so that a stranger's are recognized.
final class HistoryConnection: @unchecked Sendable {
  // Sound: `lock` guards what changes; the ends are only used by the steps of one thread, and by one handler that ends
  // before the near one is closed.
  let kind: Ends.Kind
  let near: Descriptor
  let far: Descriptor
  private let salt: Int
  private let lock = Lock()
  private var sent = 0
  private var received = 0
  private var state = State()

  struct State: Sendable {
    var hasReader = false
    var farIsOpen = true
    /// Nothing more can be written.
    var hasEnded = false
    /// The near end is closed, about to be, or another connection's.
    var nearIsGone = false
    /// Its number is another connection's.
    var isReplaced = false
    /// Sources that wait for room, and whether one of them fills it.
    var writers = 0
    var hasFiller = false
    var duplicate: Descriptor?
  }

  init(_ number: Int, _ kind: Ends.Kind, near: Descriptor, far: Descriptor) {
    salt = number &* 37
    self.kind = kind
    self.near = near
    self.far = far
  }

  func change<Value>(_ body: (inout State) -> Value) -> Value { lock.change { body(&state) } }
  var now: State { lock.read { state } }

  // MARK: The far end

  /// Writes, and waits until the kernel has brought it to the near end.
  func write(_ count: Int) -> HistoryOutcome {
    let first = lock.read { sent }
    let taken = far.send((0..<count).map { UInt8(truncatingIfNeeded: salt &+ first &+ $0) })
    guard taken >= 0 else { return .threw(HistoryConnection.name(of: CInt(-taken))) }
    let total = lock.change {
      sent += taken
      return sent
    }
    if kind == .tcp { awaitArrival(of: total) }
    return .wrote(taken)
  }

  /// The loopback device may hand a segment over a moment later; what the near end has received, it counts.
  private func awaitArrival(of total: Int) {
    let start = Moment.now
    while let arrived = near.bytesReceived, arrived < total, start.elapsed < .seconds(5) { sched_yield() }
  }

  /// Ends it, and waits until the near end knows.
  func end(_ ending: FarEnd) {
    switch ending {
    case .halfClose: far.shutDownWriting()
    case .hangUp:
      far.close()
      change { $0.farIsOpen = false }
    case .reset:
      far.resetOnClose()
      far.close()
      change { $0.farIsOpen = false }
    }
    guard kind == .tcp, !now.nearIsGone else { return }
    let wanted = ending == .reset ? 0 : readHangUp
    var polled = pollfd(fd: near.number, events: wanted, revents: 0)
    while poll(&polled, 1, 5_000) < 0 && errno == EINTR {}
  }

  // MARK: The near end

  /// Reads once; says whether the bytes are this connection's next.
  func receive(_ limit: Int) -> (result: ReadResult, isOwn: Bool) {
    // One step with the look: whoever gives the number away waits.
    lock.change {
      guard !state.isReplaced else { return (.gone, true) }
      switch near.receive(limit) {
      case .wouldBlock: return (.nothing, true)
      case .endOfFile: return (.end, true)
      case .failed(let code): return (.failed(code), true)
      case .bytes(let bytes):
        let first = received
        received += bytes.count
        let isOwn = bytes.enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: salt &+ first &+ $0) }
        return (.bytes(bytes.count), isOwn)
      }
    }
  }

  /// Writes until there is no room.
  func fill() -> HistoryOutcome {
    lock.change {
      guard !state.isReplaced else { return .threw("gone") }
      while true {
        near.fill()
        let taken = near.send(count: 1)
        if taken == -Int(EAGAIN) { return .done }
        if taken < 0 { return .threw(HistoryConnection.name(of: CInt(-taken))) }
      }
    }
  }

  /// Takes what has come by now: who waited for the end would wait for long, where a handler fills it again and again.
  func drain() {
    let count = far.available
    if count > 0 { far.receive(count) }
  }

  /// From now on the near number is the descriptor's file.
  func giveNumber(to file: Descriptor, keepsDuplicate: Bool) {
    lock.change {
      state.nearIsGone = true
      state.isReplaced = true
      if keepsDuplicate { state.duplicate = near.duplicate(from: 512) }
      near.become(file)
    }
  }

  func closeBoth() {
    near.close()
    far.close()
    change { $0.duplicate = nil }
  }

  static func name(of code: CInt) -> String {
    switch code {
    case EPERM: "EPERM"
    case EBADF: "EBADF"
    case EPIPE: "EPIPE"
    case ECONNRESET: "ECONNRESET"
    default: "errno \(code)"
    }
  }
}

/// `POLLRDHUP`, which the C library's module leaves out.
private let readHangUp: Int16 = 0x2000

extension Descriptor {
  /// How many bytes a TCP socket has ever received, by the kernel's account; nil if it does not say.
  fileprivate var bytesReceived: Int? {
    // `tcpi_bytes_received` of the kernel's `struct tcp_info`, which the C library's may lack.
    let offset = 128
    var information = [UInt8](repeating: 0, count: offset + 8)
    var size = socklen_t(information.count)
    guard getsockopt(number, CInt(IPPROTO_TCP), TCP_INFO, &information, &size) == 0, Int(size) == information.count
    else { return nil }
    return information.withUnsafeBytes { Int($0.load(fromByteOffset: offset, as: UInt64.self)) }
  }
}
