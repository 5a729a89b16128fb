import Glibc
import HawtDispatch
import HawtSockets
import Testing

/// What keeps a socket open, and what closes it: nothing may be left behind.
@Suite("Lifetime", .timeLimit(.minutes(10)))
struct LifetimeTests {
  @Test("A connection that was made by connect is closed when it is dropped", arguments: backends)
  func droppedAfterConnecting(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let listener = try PlainListener()
      for _ in 0..<20 {
        let connected = Promise<Void>()
        Connection.connect(
          to: listener.address, on: dispatcher.makeSerialQueue(label: "client"), system: system
        ) { result in
          _ = try result.get()
          connected.fulfil()
        }
        await connected.next()
        // The end of the stream: nobody else can have closed it.
        #expect(try listener.accept().readToEnd().isEmpty)
      }
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test(
    "A listener lets go of its closures when it ends, and of whoever keeps it and is captured there",
    arguments: backends)
  func keptByItsOwner(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let gone = Promise<Void>()
      do {
        let owner = Owner(gone)
        let queue = dispatcher.makeSerialQueue()
        let listener = try Listener(
          .loopback(), on: queue, connectionQueue: { owner.queue(queue) }, onError: { _ in owner.note() },
          onClose: { owner.note() }
        ) { _ in owner.note() }
        owner.listener = listener
        try listener.activate()
        listener.cancel()
      }
      await gone.next()
    }
  }

  private final class Owner: @unchecked Sendable {
    // Sound as Sendable: `listener` is written before the listener is activated.
    var listener: Listener?
    private let gone: Promise<Void>
    init(_ gone: Promise<Void>) { self.gone = gone }
    deinit { gone.fulfil() }
    func note() {}
    func queue(_ queue: SerialQueue) -> SerialQueue { queue }
  }

  @Test("A connection that has written what was pending is closed when it is dropped", arguments: backends)
  func droppedAfterWriting(backend: Backend) async throws {
    let system = TestSystem()
    system.faults.update { $0.mostPerWrite = 100 }
    try await withDispatcher(backend) { dispatcher in
      let (near, far) = try socketPair()
      system.counts.update { $0.opened[near] = 1 }
      do {
        let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"), system: system)
        try await on(connection) { try $0.write(pattern(1000)) }
      }
      // Dropped while bytes were pending: they arrive, and then the end.
      #expect(try PlainPeer(adopting: far).readToEnd() == pattern(1000))
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test(
    "A datagram socket that has waited to be writable is closed when it is dropped", arguments: backends,
    ConnectionTests.Place.allCases)
  func droppedAfterWaiting(backend: Backend, place: ConnectionTests.Place) async throws {
    let system = TestSystem()
    let address = try place.address()
    try await withDispatcher(backend) { dispatcher in
      let closed = Promise<Void>()
      let queue = dispatcher.makeSerialQueue(label: "datagrams")
      do {
        let socket = try DatagramSocket(at: address, on: queue, system: system)
        queue.async {
          socket.setCloseHandler { closed.fulfil() }
          try socket.whenWritable { _ in }
        }
      }
      await closed.next()
    }
    if let path = address.unixPath { #expect(access(path, F_OK) != 0) }
    #expect(system.counts.value.isBalanced)
  }

  @Test("What closes late leaves its successor's path alone", arguments: [true, false])
  func successor(isListener: Bool) async throws {
    let path = freshPath()
    let address = try SocketAddress(unixPath: path)
    try await withDispatcher { dispatcher in
      let queue = dispatcher.makeSerialQueue(label: "sockets")
      let make = { (system: TestSystem) -> any Sendable in
        isListener
          ? try Listener(address, on: queue, system: system, connectionQueue: { queue }) { _ in }
          : try DatagramSocket(at: address, on: queue, system: system)
      }
      let (first, second) = (TestSystem(), TestSystem())
      do {
        var old: (any Sendable)? = try make(first)
        #expect(old != nil)
        // As a server does that takes over from one that is running.
        #expect(unlink(path) == 0)
        let new = try make(second)
        old = nil
        _ = await first.closes.next()
        #expect(access(path, F_OK) == 0)
        withExtendedLifetime(new) {}
      }
      _ = await second.closes.next()
      #expect(access(path, F_OK) != 0)
    }
  }

  @Test("What is cancelled while the dispatcher is stopped ends when that starts again", arguments: backends)
  func cancelledWhileStopped(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let sockets = try await Sockets(on: dispatcher, system: system)
      await dispatcher.shutdown()
      sockets.cancel()
      #expect([UInt8(1)].withUnsafeBytes { SocketSystems.kernel.write(sockets.far, $0) } == 1)
      try dispatcher.restart()
      for _ in 0..<3 { await sockets.ends.next() }
      #expect(sockets.reads.value == 0)
      SocketSystems.kernel.close(sockets.far)
      #expect(access(sockets.path, F_OK) != 0)
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("What is cancelled while the dispatcher closes ends in time", arguments: backends)
  func cancelledWhileClosing(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let sockets = try await Sockets(on: dispatcher, system: system)
      let (isRunning, goOn) = (Gate(), Gate())
      dispatcher.makeSerialQueue(label: "busy").async {
        isRunning.open()
        goOn.pass()
      }
      isRunning.pass()
      let report = Promise<ShutdownReport>()
      dispatcher.shutdown(deadline: .seconds(3_600)) { report.fulfil($0) }
      sockets.cancel()
      for _ in 0..<3 { await sockets.ends.next() }
      goOn.open()
      #expect(await report.next().isClean)
      SocketSystems.kernel.close(sockets.far)
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A cancel that a shutdown's deadline overtakes is not lost", arguments: backends)
  func cancelledAtTheDeadline(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let sockets = try await Sockets(on: dispatcher, system: system)
      let (isRunning, goOn) = (Gate(), Gate())
      sockets.queue.async {
        isRunning.open()
        goOn.pass()
      }
      isRunning.pass()
      sockets.cancel()
      let report = await dispatcher.shutdown(deadline: .milliseconds(1))
      #expect(!report.stuckThreads.isEmpty)
      goOn.open()
      try dispatcher.restart()
      for _ in 0..<3 { await sockets.ends.next() }
      SocketSystems.kernel.close(sockets.far)
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("What is cancelled and dropped with its stopped dispatcher leaves nothing behind", arguments: backends)
  func droppedWhileStopped(backend: Backend) async throws {
    let system = TestSystem()
    var path = ""
    do {
      let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: backend))
      let sockets = try await Sockets(on: dispatcher, system: system)
      path = sockets.path
      await dispatcher.shutdown()
      sockets.cancel()
      SocketSystems.kernel.close(sockets.far)
    }
    for _ in 0..<3 { _ = await system.closes.next() }
    #expect(access(path, F_OK) != 0)
    #expect(system.counts.value.isBalanced)
  }
}

/// One active socket of each kind, on one queue; the connection has bytes pending.
private final class Sockets: Sendable {
  let queue: SerialQueue
  let connection: Connection
  let listener: Listener
  let datagrams: DatagramSocket
  /// The other end of the connection.
  let far: CInt
  /// The listener's.
  let path = freshPath()
  /// Told of each socket's end.
  let ends = Promise<Void>()
  let reads = Shared(0)

  init(on dispatcher: Dispatcher, system: TestSystem) async throws {
    queue = dispatcher.makeSerialQueue(label: "sockets")
    let (queue, ends, reads) = (queue, ends, reads)
    let near: CInt
    (near, far) = try socketPair()
    system.counts.update { $0.opened[near] = 1 }
    connection = Connection(adopting: near, on: queue, system: system)
    datagrams = try DatagramSocket(at: .loopback(), on: queue, system: system)
    listener = try Listener(
      SocketAddress(unixPath: path), on: queue, system: system, connectionQueue: { queue },
      onClose: { ends.fulfil() }
    ) { _ in }
    try listener.activate()
    try await on(connection) { [datagrams] connection in
      connection.setReadHandler { _ in reads.update { $0 += 1 } }
      connection.setCloseHandler { _ in ends.fulfil() }
      try connection.activate()
      try connection.write(pattern(4 << 20))
      datagrams.setReadHandler { _ in reads.update { $0 += 1 } }
      datagrams.setCloseHandler { ends.fulfil() }
      try datagrams.activate()
    }
  }

  func cancel() {
    connection.cancel()
    datagrams.cancel()
    listener.cancel()
  }
}
