import Glibc
import HawtDispatch
import HawtSockets
import Testing

@Suite("Connections", .timeLimit(.minutes(10)))
struct ConnectionTests {
  enum Place: String, CaseIterable, Sendable {
    case ipv4, ipv6, unix, abstract

    func address() throws -> SocketAddress {
      switch self {
      case .ipv4: .loopback()
      case .ipv6: .loopbackIPv6()
      case .unix: try SocketAddress(unixPath: freshPath())
      case .abstract: try SocketAddress(unixPath: "\0\(freshPath())")
      }
    }
  }

  @Test("What is sent comes back, over every kind of stream", arguments: backends, Place.allCases)
  func echoes(backend: Backend, place: Place) async throws {
    try await withDispatcher(backend) { dispatcher in
      let echo = try EchoFixture(on: dispatcher, at: place.address())
      let peer = try PlainPeer(to: echo.listener.address)
      for round in 0..<10 {
        let bytes = pattern(1000, from: round * 1000)
        try peer.write(bytes)
        #expect(try peer.read(1000) == bytes)
      }
      peer.finishWriting()
      #expect(try peer.readToEnd().isEmpty)
      guard case .finished = await echo.ends.next() else {
        Issue.record("the connection did not end by itself when the peer had finished")
        return
      }
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("Both ends on the library: connect, write, read, end")
  func connects() async throws {
    try await withDispatcher { dispatcher in
      let echo = try EchoFixture(on: dispatcher)
      let bytes = pattern(100_000)
      let received = Promise<[UInt8]>()
      let all = Shared<[UInt8]>([])
      Connection.connect(to: echo.listener.address, on: dispatcher.makeSerialQueue(label: "client")) { result in
        let client = try result.get()
        client.setReadHandler { client in
          try client.read { span in span.withUnsafeBytes { bytes in all.update { $0 += Array(bytes) } } }
          if all.value.count == bytes.count { client.closeAfterWriting() }
        }
        client.setCloseHandler { _ in received.fulfil(all.value) }
        try client.activate()
        try client.write(bytes)
      }
      #expect(await received.next() == bytes)
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("In steady state a request costs one read and one write, and no source for writing")
  func twoCallsPerRequest() async throws {
    let system = TestSystem()
    try await withDispatcher { dispatcher in
      let echo = try EchoFixture(on: dispatcher, system: system)
      let peer = try PlainPeer(to: echo.listener.address)
      for _ in 0..<200 {
        try peer.write(pattern(64))
        #expect(try peer.read(64).count == 64)
      }
      #expect(system.counts.value.reads == 200)
      #expect(system.counts.value.writes == 200)
      #expect(dispatcher.metrics.reduce(0) { $0 + $1.registrations } == 2, "the listener and the connection")
      let connection = await echo.connections.next()
      connection.cancel()
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A reset by the peer closes the connection with the system's error")
  func peerResets() async throws {
    try await withDispatcher { dispatcher in
      let echo = try EchoFixture(on: dispatcher)
      let peer = try PlainPeer(to: echo.listener.address)
      _ = await echo.connections.next()
      peer.reset()
      guard case .failed(let error as SocketError) = await echo.ends.next() else {
        Issue.record("a reset must show as a failure")
        return
      }
      #expect(error.errno == ECONNRESET)
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("Writing to a peer that has left throws, and SIGPIPE kills nobody")
  func writingToNobody() async throws {
    try await withDispatcher { dispatcher in
      let (near, far) = try socketPair()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"))
      SocketSystems.kernel.close(far)
      let error = try await on(connection) { connection -> SocketError? in
        do {
          try connection.write([1])
          return nil
        } catch let error as SocketError {
          return error
        }
      }
      #expect(error?.errno == EPIPE)
    }
  }

  @Test("Nobody listens: the error says so", arguments: [true, false])
  func connectionRefused(overTCP: Bool) async throws {
    try await withDispatcher { dispatcher in
      let address = overTCP ? try unusedPort() : try SocketAddress(unixPath: freshPath())
      let outcome = Promise<SocketError?>()
      Connection.connect(to: address, on: dispatcher.makeSerialQueue(label: "client")) { result in
        if case .failure(let error) = result { outcome.fulfil(error) } else { outcome.fulfil(nil) }
      }
      #expect(await outcome.next()?.errno == (overTCP ? ECONNREFUSED : ENOENT))
    }
  }

  @Test(
    "A peer that does not answer in time: the attempt ends, after a restart too, and its descriptor is closed",
    arguments: backends, [true, false])
  func connectTimesOut(backend: Backend, restarts: Bool) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      // A full backlog makes the kernel drop what asks for more.
      let listener = try PlainListener(backlog: 1)
      var waiting: [PlainPeer] = []
      for _ in 0..<2 { waiting.append(try PlainPeer(to: listener.address)) }
      let outcome = Promise<SocketError?>()
      let queue = dispatcher.makeSerialQueue(label: "client")
      Connection.connect(to: listener.address, on: queue, timeout: .milliseconds(100), system: system) { result in
        if case .failure(let error) = result { outcome.fulfil(error) } else { outcome.fulfil(nil) }
      }
      let begun = Promise<Void>()
      queue.async { begun.fulfil() }
      await begun.next()
      if restarts {
        await dispatcher.shutdown()
        try dispatcher.restart()
      }
      #expect(
        await outcome.next() == .timedOut(subject: "\(listener.address)", after: .milliseconds(100)))
      withExtendedLifetime(waiting) {}
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("Bytes stay in order while the connection's queue migrates", arguments: backends)
  func migrates(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let echo = try EchoFixture(on: dispatcher, pinned: true)
      let peer = try PlainPeer(to: echo.listener.address)
      let connection = await echo.connections.next()
      let moved = Promise<SerialQueue.RetargetOutcome>()
      for round in 0..<50 {
        let bytes = pattern(500, from: round * 500)
        try peer.write(bytes)
        try connection.queue.setTarget(dispatcher.threadQueues[(round + 1) % 2]) { moved.fulfil($0) }
        #expect(try peer.read(500) == bytes)
        #expect(await moved.next() == .effective)
      }
      peer.close()
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("A handler that throws closes the connection with its error; the dispatcher's handler is told")
  func handlerThrows() async throws {
    struct Failure: Error {}
    let told = Promise<TaskFailure>()
    try await withDispatcher(errorHandler: { told.fulfil($0) }) { dispatcher in
      let (near, far) = try socketPair()
      let ended = Promise<CloseReason>()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "throwing"))
      try await on(connection) { connection in
        connection.setReadHandler { _ in throw Failure() }
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.activate()
      }
      _ = [UInt8(1)].withUnsafeBytes { SocketSystems.kernel.write(far, $0) }
      guard case .failed(let error) = await ended.next(), error is Failure else {
        Issue.record("the reason must be the handler's error")
        return
      }
      let failure = await told.next()
      #expect(failure.error is Failure)
      #expect(failure.queueLabel == "throwing")
      SocketSystems.kernel.close(far)
    }
  }

  @Test("A read handler that is set after the first bytes have come reads them", arguments: backends)
  func lateReadHandler(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let (near, far) = try socketPair()
      let received = Promise<[UInt8]>()
      let ended = Promise<CloseReason>()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"))
      try await on(connection) { connection in
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.activate()
      }
      let peer = PlainPeer(adopting: far)
      try peer.write([1])
      try await passPollers(of: dispatcher)
      try await on(connection) { connection in
        connection.setReadHandler { connection in
          try connection.read { span in received.fulfil(span.withUnsafeBytes { Array($0) }) }
        }
      }
      #expect(await received.next() == [1])
      try peer.write([2])
      #expect(await received.next() == [2])
      peer.close()
      _ = await ended.next()
    }
  }

  @Test(
    "What a connect handler throws closes the connection, and the dispatcher's handler is told", arguments: backends,
    [true, false])
  func connectHandlerThrows(backend: Backend, atOnce: Bool) async throws {
    struct Failure: Error {}
    let system = TestSystem()
    let told = Promise<TaskFailure>()
    try await withDispatcher(backend, errorHandler: { told.fulfil($0) }) { dispatcher in
      // Connecting to a Unix path succeeds at once, over TCP it takes a turn of the poller.
      let echo = try EchoFixture(
        on: dispatcher, at: atOnce ? SocketAddress(unixPath: freshPath()) : .loopback())
      Connection.connect(
        to: echo.listener.address, on: dispatcher.makeSerialQueue(label: "client"), system: system
      ) { _ in throw Failure() }
      let failure = await told.next()
      #expect(failure.error is Failure)
      #expect(failure.queueLabel == "client")
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A descriptor that no poller takes is refused with a typed error, and closed")
  func notPollable() async throws {
    let system = TestSystem()
    try await withDispatcher { dispatcher in
      let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
      system.counts.update { $0.opened[file] = 1 }
      let connection = Connection(adopting: file, on: dispatcher.makeSerialQueue(label: "c"), system: system)
      let ended = Promise<CloseReason>()
      let error = try await on(connection) { connection -> SocketError? in
        connection.setCloseHandler { ended.fulfil($0) }
        do { try connection.activate() } catch let error as SocketError { return error }
        return nil
      }
      guard case .registration = error else {
        Issue.record("expected a refused registration, got \(String(describing: error))")
        return
      }
      _ = await ended.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  /// A port that was free a moment ago.
  private func unusedPort() throws -> SocketAddress {
    let system = SocketSystems.kernel
    let descriptor = system.open(.ipv4, .stream)
    defer { system.close(descriptor) }
    try #require(system.bind(descriptor, quietHost()) == 0)
    return try #require(system.localAddress(descriptor))
  }
}
