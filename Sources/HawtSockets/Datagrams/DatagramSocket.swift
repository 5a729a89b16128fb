import Glibc
public import HawtDispatch
import Synchronization

/// A datagram socket (UDP or Unix) whose work happens on one serial queue.
///
/// Everything but `cancel()` belongs to `queue`: methods called from elsewhere trap and name the queues (rule Q7). Once
/// activated, or while a `whenWritable` waits, it lives until `cancel()`; else dropping the last reference closes it. The
/// descriptor is closed once, after its registrations are out of every poller (rule S7).
///
/// Datagrams are not queued here: one that the kernel does not take now is for the caller to drop or to send later.
/// Each member takes constant time, beside its system call and copying the bytes.
public final class DatagramSocket: @unchecked Sendable {
  // Sound as Sendable: every variable is touched on `queue` alone, and each method asserts that; the sources are
  // constant, or set once by an atomic.

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

  private let socket: BoundSocket
  private let readSource: ReadinessSource
  /// Made at the first need.
  private let writeSource = AtomicLazyReference<ReadinessSource>()
  /// In its place where the kernel cannot tell; made at the first need.
  private let writeTimer = AtomicLazyReference<TimerSource>()
  private let waitsByTime: Bool
  private static let writePause: Duration = .milliseconds(2)
  private var isActive = false
  private var isClosed = false
  private var readHandler: (@Sendable (DatagramSocket) throws -> Void)?
  private var writableHandler: (@Sendable (DatagramSocket) throws -> Void)?

  /// Opens and binds; receives nothing before `activate()`. Any thread.
  ///
  /// - Parameters:
  ///   - address: where to receive; port 0 lets the system choose. The file that binding to a Unix path makes is removed
  ///     when the socket closes, unless another has taken its path.
  ///   - peer: the only one to talk to, if given: datagrams of others are not received, and `send` needs no address.
  ///   - queue: what its handlers run on.
  ///   - system: what answers its calls.
  /// - Throws: `.system` with what was refused; nothing is left behind.
  public init(
    at address: SocketAddress, peer: SocketAddress? = nil, on queue: SerialQueue,
    system: any SocketSystem = SocketSystems.kernel
  ) throws(SocketError) {
    let socket = try BoundSocket(opening: .datagram, for: address, system: system)
    if address.family == .ipv6 { try socket.set(.ipv6Only) }
    try socket.bind(address)
    self.address = try socket.address()
    if let peer {
      let result = system.connect(socket.number, peer)
      guard result >= 0 else { throw .system(.connect, subject: "\(peer)", errno: -result) }
    }
    self.queue = queue
    self.socket = socket
    waitsByTime = address.family == .unix && peer == nil
    readSource = queue.dispatcher.makeReadSource(socket.number, target: queue)
    // Until there is a read handler: nothing else could receive, and the level would fire for ever.
    readSource.suspend()
    socket.owner.begin(self)
    socket.isWatched(by: readSource)
  }

  /// Sources that have watched the descriptor end with the socket, and their cancel handlers close it. Without any,
  /// nobody else knows the number.
  deinit {
    socket.owner.end()
    if !isActive && writeSource.load() == nil { socket.close() }
  }

  /// Sets what runs on the queue whenever a datagram waits; it runs again for those that it leaves (rule S1). What it
  /// throws goes to the dispatcher's error handler (rule Q10); the socket stays open, because an error of one datagram
  /// (nobody listened at its target, say) says nothing about the next.
  public func setReadHandler(_ handler: @escaping @Sendable (DatagramSocket) throws -> Void) {
    queue.assertExecuting()
    guard !isClosed else { return }
    if readHandler == nil { readSource.resume() }
    readHandler = handler
  }

  /// Sets what runs once on the queue, after the descriptor was closed.
  public func setCloseHandler(_ handler: @escaping @Sendable () throws -> Void) {
    queue.assertExecuting()
    guard !isClosed else { return }
    socket.closeHandler = { reason in
      try handler()
      // No call of the user's can throw it: it goes to the dispatcher's error handler (rule S6).
      if case .failed(let error) = reason { throw error }
    }
  }

  /// Starts watching for datagrams. A second call has no effect. On the queue.
  ///
  /// - Throws: `.registration` (the socket is closed then), `.closed`.
  public func activate() throws(SocketError) {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    guard !isActive else { return }
    isActive = true
    readSource.setEventHandler { [self] _ in try readHandler?(self) }
    try activate(readSource)
  }

  /// Receives one datagram into `buffer`, without blocking: one system call. nil: none waits.
  ///
  /// - Throws: what the system says, also of a datagram sent earlier (`ECONNREFUSED`); `.closed`.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(SocketError) -> Received? {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    var sender: SocketAddress?
    let result = socket.system.receive(socket.number, into: buffer, sender: &sender)
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
    let result = socket.system.send(socket.number, bytes, to: address)
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
  /// A Unix socket without a peer waits for its receivers' queues, which the kernel tells it nothing of: it calls after 2
  /// milliseconds, for another try.
  ///
  /// - Throws: `.registration` (the socket is closed then), `.closed`.
  public func whenWritable(_ handler: @escaping @Sendable (DatagramSocket) throws -> Void) throws(SocketError) {
    queue.assertExecuting()
    guard !isClosed else { throw .closed(subject: description) }
    let isArmed = writableHandler != nil
    writableHandler = handler
    guard !isArmed else { return }
    if waitsByTime { return try startWriteTimer() }
    let existing = writeSource.load()
    let source = existing ?? makeWriteSource()
    // Holds the socket while it is armed, and no longer: one that was never activated is closed by being dropped.
    source.setEventHandler { [self] _ in try isWritable() }
    if existing == nil { try activate(source) } else { source.resume() }
  }

  private func makeWriteSource() -> ReadinessSource {
    let made = queue.dispatcher.makeWriteSource(socket.number, target: queue)
    // First: a cancel from elsewhere finds what is stored, and a source that is cancelled takes no handler.
    socket.isWatched(by: made)
    _ = writeSource.storeIfNil(made)
    // A cancel that came too early to find it has cancelled the read source: each stores its own, then looks for the other's.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if readSource.isCancelled { made.cancel() }
    return made
  }

  /// Readiness for writing looks at the socket's own buffer, which has room: the handler would be called, and refused
  /// again, as fast as it can run.
  private func startWriteTimer() throws(SocketError) {
    let existing = writeTimer.load()
    let timer = existing ?? writeTimer.storeIfNil(queue.dispatcher.makeTimerSource(target: queue))
    timer.setEventHandler { [self] _ in try isWritable() }
    timer.schedule(after: Self.writePause)
    guard existing == nil else { return }
    do {
      try timer.activate()
    } catch {
      close()
      throw .registration(error)
    }
  }

  private func isWritable() throws {
    writeSource.load()?.suspend()
    writeSource.load()?.setEventHandler { _ in }
    writeTimer.load()?.setEventHandler { _ in }
    let handler = writableHandler
    writableHandler = nil
    try handler?(self)
  }

  /// Closes the socket. Idempotent, never blocks.
  ///
  /// Any thread, in any phase of the dispatcher: elsewhere than on its queue, no handler starts once it has returned, and
  /// the rest follows on the queue; of a stopped dispatcher's, after the restart. If there is none, the descriptor is
  /// closed with the last reference to the dispatcher, and the close handler is not called.
  public func cancel() {
    if queue.isExecuting { close() } else { cancelSources() }
  }

  private func activate(_ source: ReadinessSource) throws(SocketError) {
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

  fileprivate func close(because error: SocketError? = nil) {
    guard !isClosed else { return }
    isClosed = true
    (readHandler, writableHandler) = (nil, nil)
    if let error { socket.reason = .failed(error) }
    cancelSources()
  }

  /// Their cancel handlers do the rest: close the socket, its descriptor, and tell the close handler. No task could do
  /// that: a dispatcher that stops refuses tasks, or drops them at its deadline.
  private func cancelSources() {
    readSource.cancel()
    // The queue may be making the write source: see `makeWriteSource`.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    writeSource.load()?.cancel()
    writeTimer.load()?.cancel()
  }
}

/// The end of a source, by a refusal after a migration too, closes the socket. The source's handlers hold the `OpenSocket`
/// alone: one that is dropped is to go, its sources with it.
extension DatagramSocket: WatchedSocketOwner {
  func sourceWasRefused(_ error: SourceError) { close(because: .registration(error)) }
  func sourceHasEnded() { close() }
}

extension DatagramSocket: CustomStringConvertible {
  /// Names the address; any thread.
  public var description: String { "datagram socket at \(address)" }
}
