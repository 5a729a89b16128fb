import Glibc
public import HawtDispatch

/// Accepts TCP or Unix stream connections on one queue and hands each, on a queue of its own, to a handler.
///
/// ```
///               activate()              no descriptor or memory left: error handler, source suspended
///   bound ──────────────────► accepting ─────────────────────────────────────────────────────────────► paused
///     │                        │     ▲                                                                   │
///     │                        │     └── the timer's next try reaches the end of the backlog ◄───────────┤
///     └─ cancel(), last reference gone ─┴────────────────► closed ◄──────────────────────────────────────┘
/// ```
///
/// A listening socket stays readable while a connection waits. If the system refuses to accept it, a level-triggered
/// source would fire for ever and burn a CPU; hence the pause, after which accepting goes on by itself.
///
/// Once activated it lives until `cancel()`; before, dropping the last reference closes it. In a forked child, dropping it
/// leaves the parent's alone.
///
/// Any thread may call its members; each takes constant time, beside the system calls.
public final class Listener: @unchecked Sendable {
  // Sound as Sendable: everything is immutable but `isPaused` and `handlers`, which are touched on `queue` alone once the
  // listener is made.

  /// What accepting runs on.
  public let queue: SerialQueue
  /// Where it listens: with the port that the system chose, if it was asked to.
  public let address: SocketAddress

  private let socket: BoundSocket
  private let options: ListenerOptions
  /// Let go of when the listener ends: whoever keeps it may be captured here.
  fileprivate var handlers: Handlers?
  private let source: ReadinessSource
  private let retry: TimerSource
  private var isPaused = false

  fileprivate struct Handlers {
    let chooseQueue: @Sendable () throws -> SerialQueue
    let connection: @Sendable (Connection) throws -> Void
    let error: (@Sendable (SocketError) -> Void)?
  }

  /// Opens, binds and listens; accepts nothing before `activate()`. Any thread.
  ///
  /// - Parameters:
  ///   - address: where; port 0 lets the system choose. The file that binding to a Unix path makes is removed when the
  ///     listener closes, unless another has taken its path.
  ///   - queue: what accepting runs on.
  ///   - options: how it behaves.
  ///   - system: what answers its calls.
  ///   - connectionQueue: called on `queue` for each connection: the serial queue that it belongs to. One queue for
  ///     each connection, targeting nothing, is the proactor style; targeting a thread queue, the reactor style. What it
  ///     throws goes to the dispatcher's error handler and costs that connection alone.
  ///   - onError: told on `queue`: once per spell in which the system lacks what accepting needs, and of whatever ends
  ///     the listener. nil: such errors go to the dispatcher's error handler.
  ///   - onClose: called once on `queue`, after the descriptor was closed.
  ///   - onConnection: called on the connection's queue; sets its handlers and activates it. What it throws is treated as
  ///     what the connection's read handler throws.
  /// - Throws: `.system` with what was refused; nothing is left behind.
  public init(
    _ address: SocketAddress, on queue: SerialQueue, options: ListenerOptions = .init(),
    system: any SocketSystem = SocketSystems.kernel,
    connectionQueue: @escaping @Sendable () throws -> SerialQueue,
    onError: (@Sendable (SocketError) -> Void)? = nil, onClose: (@Sendable () throws -> Void)? = nil,
    onConnection: @escaping @Sendable (Connection) throws -> Void
  ) throws(SocketError) {
    let socket = try Self.open(address, options, system)
    self.socket = socket
    self.queue = queue
    self.address = try socket.address()
    self.options = options
    handlers = Handlers(chooseQueue: connectionQueue, connection: onConnection, error: onError)
    source = queue.dispatcher.makeReadSource(socket.number, target: queue)
    retry = queue.dispatcher.makeTimerSource(target: queue)
    socket.closeHandler = { _ in try onClose?() }
    // The source alone watches the descriptor, and its cancel handler runs however the listener ends: a source that is
    // dropped cancels itself, as the timer does.
    socket.owner.begin(self)
    // Without a handler for errors, the dispatcher's is told of a refusal (rule S6).
    if let onError { source.setErrorHandler { onError(.registration($0)) } }
    socket.closes(with: source)
  }

  deinit { socket.owner.end() }

  private static func open(
    _ address: SocketAddress, _ options: ListenerOptions, _ system: any SocketSystem
  ) throws(SocketError) -> BoundSocket {
    let socket = try BoundSocket(opening: .stream, for: address, system: system)
    if address.family != .unix {
      try socket.set(.reuseAddress)
      if options.reusesPort { try socket.set(.reusePort) }
      // Accepted sockets inherit it, which saves a system call for each.
      if options.connection.noDelay { try socket.set(.noDelay) }
      if address.family == .ipv6 { try socket.set(.ipv6Only) }
    }
    try socket.bind(address)
    let result = system.listen(socket.number, backlog: options.backlog)
    guard result >= 0 else { throw .system(.listen, subject: "\(address)", errno: -result) }
    return socket
  }

  /// Starts accepting; a second call has no effect. Any thread.
  ///
  /// - Throws: `.registration` if the dispatcher cannot watch it; the listener is closed then.
  public func activate() throws(SocketError) {
    source.setEventHandler { [self] _ in try acceptBatch() }
    retry.setEventHandler { [weak self] _ in try self?.acceptBatch() }
    do {
      try source.activate()
      try retry.activate()
    } catch {
      cancel()
      throw .registration(error)
    }
  }

  /// Stops accepting and closes the socket; connections live on. Idempotent, never blocks; any thread.
  public func cancel() {
    source.cancel()
    retry.cancel()
  }

  private func acceptBatch() throws {
    queue.assertExecuting()
    // What `connectionQueue` throws costs that connection and ends the turn; it is no lack, so the pause ends too.
    var mayGoOn = true
    defer { if mayGoOn { resume() } }
    for _ in 0..<options.acceptsPerTurn {
      guard !source.isCancelled, let handlers else { return }
      var peer: SocketAddress?
      let result = socket.system.accept(socket.number, peer: &peer)
      if result >= 0 {
        try hand(OpenSocket(adopting: result, system: socket.system), peer, handlers)
        continue
      }
      switch -result {
      case EAGAIN:
        return
      case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH:
        // The connection that waited first has failed before it was accepted, and is gone; others wait behind it.
        continue
      case EBADF, EINVAL, ENOTSOCK, EFAULT:
        cancel()
        return try report(.system(.accept, subject: "\(address)", errno: -result))
      default:
        mayGoOn = false
        return try pause(because: -result)
      }
    }
  }

  private func hand(_ socket: OpenSocket, _ peer: SocketAddress?, _ handlers: Handlers) throws {
    let connection = Connection(
      socket, on: try handlers.chooseQueue(), peer: peer, options: options.connection, phase: .open)
    let handler = handlers.connection
    // Refused when the dispatcher stops: dropping the connection closes it.
    connection.queue.async {
      do { try handler(connection) } catch { try connection.handlerFailed(error) }
    }
  }

  /// The system lacks descriptors or memory, or a firewall or security module forbids to accept (EPERM): the connection
  /// keeps waiting in the backlog, and so do we. Told once per spell, which ends when a whole turn has met no lack.
  private func pause(because code: CInt) throws {
    retry.schedule(after: options.pause)
    guard !isPaused else { return }
    isPaused = true
    source.suspend()
    try report(.system(.accept, subject: "a connection at \(address)", errno: code))
  }

  private func resume() {
    guard isPaused else { return }
    isPaused = false
    source.resume()
  }

  private func report(_ error: SocketError) throws {
    guard let tell = handlers?.error else { throw error }
    tell(error)
  }
}

extension Listener: SocketOwner {
  func sourceHasEnded() { handlers = nil }
}

extension Listener: CustomStringConvertible {
  /// Names the address; any thread.
  public var description: String { "listener at \(address)" }
}
