import HawtDispatch
import HawtSockets
import Testing

@Suite("Closing", .timeLimit(.minutes(10)))
struct ClosingTests {
  @Test("However many ask at once, the descriptor is closed once and the handler told once", arguments: backends)
  func closesOnce(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let echo = try EchoFixture(on: dispatcher, system: system)
      for _ in 0..<50 {
        let peer = try PlainPeer(to: echo.listener.address)
        let connection = await echo.connections.next()
        try peer.write([1])
        async let canceller: Void = { for _ in 0..<4 { connection.cancel() } }()
        connection.queue.async { connection.cancel() }
        peer.reset()
        await canceller
        _ = await echo.ends.next()
        // Everything that was asked has run when this has: nothing may come after the end.
        _ = try await on(connection) { $0.cancel() }
        #expect(echo.ends.count == 0)
      }
      echo.listener.cancel()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A cancel that meets the first write that has to wait closes the connection all the same", arguments: backends)
  func cancelMeetsFirstWait(backend: Backend) async throws {
    let system = TestSystem()
    system.faults.update { $0.mostPerWrite = 0 }
    try await withDispatcher(backend) { dispatcher in
      for round in 0..<4_000 {
        let (near, far) = try socketPair()
        system.counts.update { $0.opened[near, default: 0] += 1 }
        let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(), system: system)
        let closed = Promise<Void>()
        try await on(connection) {
          $0.setCloseHandler { _ in closed.fulfil() }
          try $0.activate()
        }
        let before = system.counts.value.writes
        connection.queue.async { try connection.write([1, 2, 3]) }
        while system.counts.value.writes == before {}
        // The write goes on to wait for room meanwhile: somewhere on its way the cancel meets it.
        for _ in 0..<round % 40 { _ = system.counts.value.writes }
        connection.cancel()
        await closed.next()
        SocketSystems.kernel.close(far)
      }
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A connection that was never activated is closed when it is dropped")
  func droppedUnused() async throws {
    let system = TestSystem()
    try await withDispatcher { dispatcher in
      let (near, far) = try socketPair()
      system.counts.update { $0.opened[near] = 1 }
      do { _ = Connection(adopting: near, on: dispatcher.makeSerialQueue(), system: system) }
      #expect(system.counts.value.isBalanced)
      #expect(try PlainPeer(adopting: far).readToEnd().isEmpty)
    }
  }

  @Test("An active connection lives without a reference, and its handlers are let go when it ends")
  func livesUntilClosed() async throws {
    final class Witness: Sendable {
      let gone: Promise<Void>
      init(_ gone: Promise<Void>) { self.gone = gone }
      deinit { gone.fulfil() }
    }
    try await withDispatcher { dispatcher in
      let gone = Promise<Void>()
      let echo = try EchoFixture(
        on: dispatcher,
        prepare: { [witness = Witness(gone)] connection in
          connection.setDrainHandler { _ in withExtendedLifetime(witness) {} }
          connection.setReadHandler { connection in
            // The connection, its handler and what that holds: a ring, until it is closed.
            try withExtendedLifetime((witness, connection)) {
              _ = try connection.read { try connection.write($0) }
            }
          }
        })
      let peer = try PlainPeer(to: echo.listener.address)
      do { _ = await echo.connections.next() }
      try peer.write(pattern(10))
      #expect(try peer.read(10) == pattern(10))
      #expect(gone.count == 0)
      peer.close()
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("What was written before closeAfterWriting arrives, although the peer goes on sending", arguments: backends)
  func lingersForThePeer(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let ended = Promise<CloseReason>()
      let answer = pattern(300_000)
      let listener = try Listener(
        .loopback(), on: dispatcher.makeSerialQueue(label: "accept"),
        connectionQueue: { dispatcher.makeSerialQueue(label: "c") }
      ) { connection in
        connection.setCloseHandler { ended.fulfil($0) }
        connection.setReadHandler { connection in
          // Most of what was sent is still unread: a plain close would answer it with a reset.
          var first = [UInt8](repeating: 0, count: 10)
          _ = try first.withUnsafeMutableBytes { try connection.read(into: $0) }
          try connection.write(answer)
          connection.closeAfterWriting()
          #expect(throws: SocketError.self) { try connection.write([1]) }
        }
        try connection.activate()
      }
      try listener.activate()
      let peer = try PlainPeer(to: listener.address)
      try peer.write(pattern(50_000))
      #expect(try peer.read(1000) == Array(answer[..<1000]))
      try peer.write(pattern(50_000))
      #expect(try peer.readToEnd() == Array(answer[1000...]))
      peer.close()
      guard case .finished = await ended.next() else {
        Issue.record("closeAfterWriting must end in .finished")
        return
      }
      listener.cancel()
    }
  }

  @Test(
    "A peer that never finishes is left behind when lingering ends, after a restart too", arguments: backends,
    [true, false])
  func lingeringEnds(backend: Backend, restarts: Bool) async throws {
    try await withDispatcher(backend) { dispatcher in
      let (near, far) = try socketPair()
      let ended = Promise<CloseReason>()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"))
      try await on(connection) { connection in
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.write([7])
        connection.closeAfterWriting(lingering: .milliseconds(100))
      }
      if restarts {
        await dispatcher.shutdown()
        try dispatcher.restart()
      }
      guard case .finished = await ended.next() else {
        Issue.record("closeAfterWriting must end in .finished")
        return
      }
      #expect(try PlainPeer(adopting: far).readToEnd() == [7])
    }
  }

  @Test("A peer that has finished ends lingering, also if nothing has ever read", arguments: backends)
  func lingersWithoutReadHandler(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let (near, far) = try socketPair()
      let ended = Promise<CloseReason>()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"))
      try await on(connection) { connection in
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.activate()
      }
      let peer = PlainPeer(adopting: far)
      try peer.write([1])
      try await passPollers(of: dispatcher)
      // Longer than the suite may take: it is the peer that ends it.
      try await on(connection) { $0.closeAfterWriting(lingering: .seconds(3600)) }
      peer.close()
      guard case .finished = await ended.next() else {
        Issue.record("closeAfterWriting must end in .finished")
        return
      }
    }
  }

  @Test("Half-open: the end of what the peer sends leaves the way to it open, and fires once")
  func halfOpen() async throws {
    try await withDispatcher { dispatcher in
      let (near, far) = try socketPair()
      let ends = Promise<Void>()
      let ended = Promise<CloseReason>()
      let connection = Connection(
        adopting: near, on: dispatcher.makeSerialQueue(label: "c"), options: .init(allowsHalfOpen: true))
      try await on(connection) { connection in
        connection.setReadHandler { connection in
          if try connection.read({ _ in }) == .endOfStream { ends.fulfil() }
        }
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.activate()
      }
      let peer = PlainPeer(adopting: far)
      peer.finishWriting()
      await ends.next()
      try await on(connection) { try $0.write([1, 2]) }
      #expect(try peer.read(2) == [1, 2])
      #expect(ends.count == 0)
      try await on(connection) { $0.closeAfterWriting() }
      guard case .finished = await ended.next() else {
        Issue.record("closeAfterWriting must end in .finished")
        return
      }
    }
  }
}
