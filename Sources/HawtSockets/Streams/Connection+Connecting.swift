import Glibc
public import HawtDispatch

extension Connection {
  /// Connects to a TCP or Unix listener without blocking; any thread.
  ///
  /// - Parameters:
  ///   - address: a numeric address or a Unix path.
  ///   - queue: what the connection's handlers, and `handler`, run on.
  ///   - timeout: how long the peer may take to answer; goes on while the dispatcher is stopped.
  ///   - options: how the connection behaves.
  ///   - system: what answers its calls.
  ///   - handler: called once on `queue`, with a connection to set handlers on and to activate, or with the reason why
  ///     there is none: what the system said, `.timedOut`, `.registration`. Dropping the connection without activating it
  ///     closes it. What the handler throws is treated as what a read handler throws.
  /// - Returns: whether the attempt was accepted; if not, `handler` is never called. Nor is it if the dispatcher is stopped
  ///   before the attempt has ended, and never started again.
  @discardableResult
  public static func connect(
    to address: SocketAddress, on queue: SerialQueue, timeout: Duration = .seconds(10),
    options: ConnectionOptions = .init(), system: any SocketSystem = SocketSystems.kernel,
    _ handler: @escaping @Sendable (Result<Connection, SocketError>) throws -> Void
  ) -> Submission {
    queue.async {
      do {
        try begin(to: address, on: queue, timeout: timeout, options: options, system: system, handler)
      } catch let error as SocketError {
        // The attempt's: one of the handler's own has closed the connection, and comes no further.
        try handler(.failure(error))
      }
    }
  }

  private static func begin(
    to address: SocketAddress, on queue: SerialQueue, timeout: Duration, options: ConnectionOptions,
    system: any SocketSystem, _ handler: @escaping @Sendable (Result<Connection, SocketError>) throws -> Void
  ) throws {
    let socket = try OpenSocket(opening: .stream, for: address, system: system)
    if options.noDelay, address.family != .unix { try socket.set(.noDelay) }
    let result = system.connect(socket.number, address)
    guard result == 0 || result == -EINPROGRESS else {
      throw SocketError.system(.connect, subject: "\(address)", errno: -result)
    }
    let connection = Connection(socket, on: queue, peer: address, options: options, phase: .connecting)
    // While it connects, the close handler is the way in which every failure reaches the caller.
    connection.extras.connectHandler = handler
    socket.closeHandler = { reason in
      if case .failed(let error as SocketError) = reason { try handler(.failure(error)) }
    }
    guard result != 0 else { return try connection.isConnected() }
    do throws(SourceError) {
      try connection.startTimer(timeout) { $0.giveUpConnecting(after: timeout) }
    } catch {
      return connection.close(.failed(SocketError.registration(error)))
    }
    // A refusal has closed the connection, and so has told the handler.
    try? connection.setWriteSource(armed: true)
  }

  private func giveUpConnecting(after timeout: Duration) {
    guard phase == .connecting else { return }
    close(.failed(SocketError.timedOut(subject: "\(peer!)", after: timeout)))
  }

  /// The descriptor is writable: the attempt has ended, one way or the other.
  func concludeConnecting() throws {
    let result = system.connectResult(descriptor)
    guard result == 0 else {
      return close(.failed(SocketError.system(.connect, subject: "\(peer!)", errno: -result)))
    }
    try setWriteSource(armed: false)
    try isConnected()
  }

  private func isConnected() throws {
    let handler = extras.connectHandler
    dropExtras()
    phase = .open
    socket.closeHandler = nil
    do { try handler?(.success(self)) } catch { try handlerFailed(error) }
  }
}
