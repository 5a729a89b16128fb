import Glibc
import HawtDispatch
import HawtSockets
import Testing

/// Every backend that is built in: what the sockets promise must not depend on it.
let backends = Backend.builtIn

/// Runs `body` with a dispatcher of two workers and stops it; everything that was accepted must have run by then.
func withDispatcher(
  _ backend: Backend = backends[0], workers: Int = 2, errorHandler: (@Sendable (TaskFailure) -> Void)? = nil,
  _ body: (Dispatcher) async throws -> Void
) async throws {
  let dispatcher = try Dispatcher(
    configuration: .init(name: "sockets", workers: workers, backend: backend, errorHandler: errorHandler))
  do {
    try await body(dispatcher)
  } catch {
    await dispatcher.shutdown()
    throw error
  }
  let report = await dispatcher.shutdown()
  #expect(report.isClean, "\(report)")
}

/// Bytes whose value depends on their place, so that any shift shows. They repeat after a prime number of bytes, which
/// no buffer's size divides; copied from a table, because megabytes of them are made in unoptimized code.
func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(count)
  while bytes.count < count {
    let place = (start + bytes.count) % patternTable.count
    bytes += patternTable[place..<min(patternTable.count, place + count - bytes.count)]
  }
  return bytes
}

private let patternTable: [UInt8] = (0..<65_521).map { UInt8(truncatingIfNeeded: ($0 &* 0x9E37_79B9) >> 13) }

/// An address of this machine that no other test listens at: a port that is free there stays free.
func quietHost(port: UInt16 = 0) throws -> SocketAddress { try SocketAddress("127.0.0.77", port: port) }

/// A path for a Unix socket that no other test has.
func freshPath() -> String { "/tmp/hawt-\(getpid())-\(UInt64.random(in: 0...UInt64.max)).sock" }

/// A listener that echoes, on a queue for each connection, and tells of each connection and its end.
struct EchoFixture {
  let listener: Listener
  let connections = Promise<Connection>()
  let ends = Promise<CloseReason>()
  let listenerClosed = Promise<Void>()

  init(
    on dispatcher: Dispatcher, at address: SocketAddress = .loopback(), options: ListenerOptions = .init(),
    system: any SocketSystem = SocketSystems.kernel, pinned: Bool = false,
    onError: (@Sendable (SocketError) -> Void)? = nil,
    prepare: (@Sendable (Connection) throws -> Void)? = nil
  ) throws {
    let (connections, ends, closed) = (connections, ends, listenerClosed)
    listener = try Listener(
      address, on: dispatcher.makeSerialQueue(label: "accept"), options: options, system: system,
      connectionQueue: {
        pinned
          ? try dispatcher.makeSerialQueue(label: "connection", target: dispatcher.threadQueues[0])
          : dispatcher.makeSerialQueue(label: "connection")
      }, onError: onError, onClose: { closed.fulfil() }
    ) { connection in
      connection.setReadHandler { connection in try connection.read { try connection.write($0) } }
      connection.setCloseHandler { ends.fulfil($0) }
      try prepare?(connection)
      try connection.activate()
      connections.fulfil(connection)
    }
    try listener.activate()
  }
}

/// Runs `body` on the connection's queue and waits for what it says.
func on<Value: Sendable>(
  _ connection: Connection, _ body: @escaping @Sendable (Connection) throws -> Value
) async throws -> Value {
  let result = Promise<Result<Value, any Error>>()
  connection.queue.async { result.fulfil(Result { try body(connection) }) }
  return try await result.next().get()
}

/// Waits until every worker's poller has reported something that became ready just now, and so whatever was before.
func passPollers(of dispatcher: Dispatcher) async throws {
  for thread in dispatcher.threadQueues {
    let (near, far) = try socketPair()
    let passed = Promise<Void>()
    let connection = Connection(
      adopting: near, on: try dispatcher.makeSerialQueue(label: "passing", target: thread))
    try await on(connection) { connection in
      connection.setReadHandler { try $0.read { _ in } }
      connection.setCloseHandler { _ in passed.fulfil() }
      try connection.activate()
    }
    SocketSystems.kernel.close(far)
    await passed.next()
  }
}

/// A pair of connected Unix stream sockets: one end for a `Connection`, the other for the test.
func socketPair() throws -> (CInt, CInt) {
  var ends: [CInt] = [-1, -1]
  let type = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  try #require(socketpair(AF_UNIX, type, 0, &ends) == 0)
  return (ends[0], ends[1])
}
