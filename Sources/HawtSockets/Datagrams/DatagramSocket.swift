import Glibc
public import HawtDispatch

/// A datagram socket (UDP or Unix) whose work happens on one serial queue.
///
/// Everything but `cancel()` belongs to `queue`: methods called from elsewhere trap and name the queues (rule Q7). Once
/// activated it lives until `cancel()`; before, dropping the last reference closes it. The descriptor is closed once,
/// after its registrations are out of every poller (rule S7).
///
/// Datagrams are not queued here: one that the kernel does not take now is for the caller to drop or to send later.
public final class DatagramSocket: @unchecked Sendable {
  // Sound as Sendable: every variable is touched on `queue` alone, and each method asserts that.

  /// What a `receive` found.
  public struct Received: Sendable, Hashable {
    /// How many bytes are in the buffer.
    public let count: Int
    /// Whether the datagram was longer than the buffer; its end is lost then.
    public let isTruncated: Bool
    /// Who sent it; nil if the sender has no address.
    public let sender: SocketAddress?
  }

  /// The queue that its handlers run on. Retarget it to move the socket between threads, live.
  public let queue: SerialQueue
  /// Where it receives, with the port that the system chose if it was asked to.
  public let address: SocketAddress

  private let descriptor: CInt
  private let system: any SocketSystem
  private var isClosed = false
  private var readHandler: (@Sendable (DatagramSocket) throws -> Void)?
  private var writableHandler: (@Sendable (DatagramSocket) throws -> Void)?
  private var closeHandler: (@Sendable () throws -> Void)?
  private var readSource: ReadinessSource?
  private var writeSource: ReadinessSource?

  /// Opens and binds; receives nothing before `activate()`. Any thread.
  ///
  /// - Parameters:
  ///   - address: where to receive; port 0 lets the system choose.
  ///   - peer: the only one to talk to, if given: datagrams of others are not received, and `send` needs no address.
  ///   - queue: what its handlers run on.
  ///   - system: what answers its calls.
  /// - Throws: `.system` with what was refused; nothing is left behind.
  public init(
    at address: SocketAddress, peer: SocketAddress? = nil, on queue: SerialQueue,
    system: any SocketSystem = SocketSystems.kernel
  ) throws(SocketError) {
    let socket = try OwnedDescriptor(opening: .datagram, for: address, system: system)
    try socket.bind(address)
    let bound = try socket.boundAddress()
    if let peer {
      let result = system.connect(socket.number, peer)
      guard result >= 0 else {
        if let path = bound.filePath { system.removeFile(path) }
        throw .system(.connect, subject: "\(peer)", errno: -result)
      }
    }
    self.queue = queue
    self.address = bound
    self.system = system
    descriptor = socket.release()
  }

  /// Handlers of active sources hold the socket, so nothing watches the descriptor any more when this runs.
  deinit {
    guard !isClosed else { return }
    if let path = address.filePath { system.removeFile(path) }
    system.close(descriptor)
  }

  /// Sets what runs on the queue whenever a datagram waits; it runs again for those that it leaves (rule S1). What it
  /// throws goes to the dispatcher's error handler (rule Q10); the socket stays open, because an error of one datagram
  /// (nobody listened at its target, say) says nothing about the next.
  public func setReadHandler(_ handler: @escaping @Sendable (DatagramSocket) throws -> Void) {
    queue.assertExecuting()
    readHandler = handler
  }

  /// Sets what runs once on the queue, after the descriptor was closed.
  public func setCloseHandler(_ handler: @escaping @Sendable () throws -> Void) {
    queue.assertExecuting()
    closeHandler = handler
  }

  /// Starts watching for datagrams. A second call has no effect. On the queue.
  ///
  /// - Throws: `.registration` (the socket is closed then), `.closed`.
  public func activate() throws(SocketError) {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    guard readSource == nil else { return }
    let source = queue.dispatcher.makeReadSource(descriptor, target: queue) { [self] event in
      guard let readHandler else { return event.suspend() }
      try readHandler(self)
    }
    readSource = source
    try activate(source)
  }

  /// Receives one datagram into `buffer`, without blocking: one system call. nil: none waits.
  ///
  /// - Throws: what the system says, also of a datagram sent earlier (`ECONNREFUSED`); `.closed`.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SocketError) -> Received? {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    var sender: SocketAddress?
    let result = system.receive(descriptor, into: buffer, sender: &sender)
    if result >= 0 {
      return Received(count: min(result, buffer.count), isTruncated: result > buffer.count, sender: sender)
    }
    if result == -Int(EAGAIN) { return nil }
    throw failure(.read, CInt(-result))
  }

  /// Sends one datagram, without blocking: one system call.
  ///
  /// - Parameters:
  ///   - bytes: the whole datagram.
  ///   - address: the receiver; nil: the peer that the socket was made with.
  /// - Returns: false if the kernel's buffer is full: drop it, or send it again when `whenWritable` calls.
  /// - Throws: what the system says, also of a datagram sent earlier (`ECONNREFUSED`); `.closed`.
  @discardableResult
  public func send(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress? = nil) throws(SocketError) -> Bool {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    let result = system.send(descriptor, bytes, to: address)
    if result >= 0 { return true }
    if result == -Int(EAGAIN) || result == -Int(ENOBUFS) { return false }
    throw failure(.write, CInt(-result))
  }

  /// `send` for a span.
  @discardableResult
  public func send(_ bytes: RawSpan, to address: SocketAddress? = nil) throws(SocketError) -> Bool {
    try bytes.withUnsafeBytes { (bytes) throws(SocketError) in try send(bytes, to: address) }
  }

  /// Calls `handler` once on the queue, when the kernel takes datagrams again. A second call replaces the handler.
  ///
  /// - Throws: `.registration` (the socket is closed then), `.closed`.
  public func whenWritable(_ handler: @escaping @Sendable (DatagramSocket) throws -> Void) throws(SocketError) {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    let isArmed = writableHandler != nil
    writableHandler = handler
    guard !isArmed else { return }
    if let writeSource { return writeSource.resume() }
    let source = queue.dispatcher.makeWriteSource(descriptor, target: queue) { [self] event in
      event.suspend()
      let handler = writableHandler
      writableHandler = nil
      try handler?(self)
    }
    writeSource = source
    try activate(source)
  }

  /// Closes the socket. Idempotent, never blocks; any thread: elsewhere than on its queue it takes effect as the
  /// queue's next task would.
  public func cancel() { queue.hop { [self] in close() } }

  private func activate(_ source: ReadinessSource) throws(SocketError) {
    source.setErrorHandler { [self] error in close(because: .registration(error)) }
    do {
      try source.activate()
    } catch {
      close()
      throw .registration(error)
    }
  }

  private func failure(_ operation: SocketError.Operation, _ code: CInt) -> SocketError {
    // These alone do not pass: left open, the level would fire for ever.
    if code == EBADF || code == ENOTSOCK { close() }
    return .system(operation, subject: description, errno: code)
  }

  /// An error that no call of the user's can throw goes to the dispatcher's error handler (rule S6).
  private func close(because error: SocketError? = nil) {
    guard !isClosed else { return }
    isClosed = true
    if let path = address.filePath { system.removeFile(path) }
    let sources = [readSource, writeSource].compactMap { $0 }
    let closeHandler = closeHandler
    (readSource, writeSource) = (nil, nil)
    (readHandler, writableHandler, self.closeHandler) = (nil, nil, nil)
    HawtSockets.close(descriptor, of: system, watchedBy: sources, on: queue) {
      try closeHandler?()
      if let error { throw error }
    }
  }
}

extension DatagramSocket: CustomStringConvertible {
  /// Names the address; any thread.
  public var description: String { "datagram socket at \(address)" }
}
