import Glibc
import HawtDispatch
import HawtSockets
import Testing

@Suite("Listeners", .timeLimit(.minutes(10)))
struct ListenerTests {
  @Test(
    "Lack of descriptors or memory pauses accepting, is told once per spell, and ends by itself",
    arguments: backends, [EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM])
  func pausesAndRecovers(backend: Backend, code: CInt) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let errors = Promise<SocketError>()
      let echo = try EchoFixture(
        on: dispatcher, options: .init(pause: .milliseconds(5)), system: system, onError: { errors.fulfil($0) })
      for _ in 0..<2 {
        let before = system.counts.value.accepts
        system.faults.update { ($0.failingAccepts, $0.acceptError) = (6, code) }
        let peer = try PlainPeer(to: echo.listener.address)
        #expect(await errors.next().errno == code)
        try peer.write([1, 2, 3])
        #expect(try peer.read(3) == [1, 2, 3])
        // Six refusals, the connection, the end of the backlog: a listener that spins asks thousands of times.
        #expect(system.counts.value.accepts - before <= 9)
        #expect(errors.count == 0)
        peer.close()
        _ = await echo.ends.next()
      }
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test(
    "A connection queue that cannot be made while accepting pauses costs that connection alone", arguments: backends)
  func connectionQueueThrows(backend: Backend) async throws {
    struct Failure: Error {}
    let system = TestSystem()
    let told = Promise<TaskFailure>()
    try await withDispatcher(backend, errorHandler: { told.fulfil($0) }) { dispatcher in
      let isFirst = Shared(true)
      let (errors, accepted, closed) = (Promise<SocketError>(), Promise<Void>(), Promise<Void>())
      let listener = try Listener(
        .loopback(), on: dispatcher.makeSerialQueue(label: "accept"), options: .init(pause: .milliseconds(5)),
        system: system,
        connectionQueue: {
          if isFirst.update({ first in
            defer { first = false }
            return first
          }) {
            throw Failure()
          }
          return dispatcher.makeSerialQueue(label: "c")
        }, onError: { errors.fulfil($0) }, onClose: { closed.fulfil() }
      ) { _ in accepted.fulfil() }
      try listener.activate()
      system.faults.update { $0.failingAccepts = 2 }
      let unlucky = try PlainPeer(to: listener.address)
      #expect(await errors.next().errno == EMFILE)
      #expect(await told.next().error is Failure)
      #expect(try unlucky.readToEnd().isEmpty)
      for _ in 0..<3 {
        let peer = try PlainPeer(to: listener.address)
        await accepted.next()
        peer.close()
      }
      listener.cancel()
      await closed.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A listener that is cancelled while it pauses is closed")
  func cancelWhilePaused() async throws {
    let system = TestSystem()
    system.faults.update { $0.failingAccepts = .max }
    try await withDispatcher { dispatcher in
      let errors = Promise<SocketError>()
      let echo = try EchoFixture(on: dispatcher, system: system, onError: { errors.fulfil($0) })
      let peer = try PlainPeer(to: echo.listener.address)
      _ = await errors.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
      peer.close()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A connection that failed while it waited does not stop the ones behind it")
  func skipsFailedConnections() async throws {
    let system = TestSystem()
    system.faults.update { ($0.failingAccepts, $0.acceptError) = (3, ECONNABORTED) }
    try await withDispatcher { dispatcher in
      let echo = try EchoFixture(on: dispatcher, system: system, onError: { Issue.record("\($0)") })
      let peer = try PlainPeer(to: echo.listener.address)
      try peer.write([1])
      #expect(try peer.read(1) == [1])
      peer.close()
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("More connections than a turn takes are all accepted", arguments: backends)
  func manyAtOnce(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let echo = try EchoFixture(on: dispatcher, options: .init(acceptsPerTurn: 3))
      let peers = try (0..<100).map { _ in try PlainPeer(to: echo.listener.address) }
      for peer in peers { try peer.write([5]) }
      for peer in peers { #expect(try peer.read(1) == [5]) }
      for peer in peers { peer.close() }
      for _ in peers { _ = await echo.ends.next() }
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("Connections outlive their listener")
  func connectionsLiveOn() async throws {
    try await withDispatcher { dispatcher in
      let echo = try EchoFixture(on: dispatcher)
      let peer = try PlainPeer(to: echo.listener.address)
      _ = await echo.connections.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
      try peer.write([1])
      #expect(try peer.read(1) == [1])
      peer.close()
      _ = await echo.ends.next()
    }
  }

  @Test("An address that is taken is refused with what to do, and nothing is left open")
  func addressInUse() async throws {
    let system = TestSystem()
    try await withDispatcher { dispatcher in
      let queue = dispatcher.makeSerialQueue()
      let first = try Listener(.loopback(), on: queue, system: system, connectionQueue: { queue }) { _ in }
      let error = #expect(throws: SocketError.self) {
        try Listener(first.address, on: queue, system: system, connectionQueue: { queue }) { _ in }
      }
      #expect(error == .system(.bind, subject: "\(first.address)", errno: EADDRINUSE))
      first.cancel()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("Listeners that share an address each get connections, and none is lost", arguments: backends)
  func sharedAddress(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let accepted = Promise<Int>()
      var listeners: [Listener] = []
      for number in 0..<2 {
        let queue = dispatcher.makeSerialQueue()
        let listener = try Listener(
          listeners.first?.address ?? .loopback(), on: queue, options: .init(reusesPort: true), system: system,
          connectionQueue: { queue }
        ) { _ in accepted.fulfil(number) }
        try listener.activate()
        listeners.append(listener)
      }
      // The kernel chooses by the peer's port: that all of so many fall to one is out of the question.
      let peers = try (0..<64).map { _ in try PlainPeer(to: listeners[0].address) }
      var counts = [0, 0]
      for _ in peers { counts[await accepted.next()] += 1 }
      #expect(counts.allSatisfy { $0 > 0 }, "\(counts)")
      for listener in listeners { listener.cancel() }
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A Unix path is removed when its listener closes, also one that was never activated")
  func removesItsPath() async throws {
    let system = TestSystem()
    let path = freshPath()
    try await withDispatcher { dispatcher in
      let address = try SocketAddress(unixPath: path)
      let echo = try EchoFixture(on: dispatcher, at: address, system: system)
      #expect(access(path, F_OK) == 0)
      echo.listener.cancel()
      await echo.listenerClosed.next()
      #expect(access(path, F_OK) != 0)
      let closed = Promise<Void>()
      do {
        let queue = dispatcher.makeSerialQueue()
        _ = try Listener(
          address, on: queue, system: system, connectionQueue: { queue }, onClose: { closed.fulfil() }
        ) { _ in }
      }
      await closed.next()
      #expect(access(path, F_OK) != 0)
    }
    #expect(system.counts.value.removedFiles == [path, path])
    #expect(system.counts.value.isBalanced)
  }

  @Test("A connection handler that throws costs that connection alone")
  func handlerThrows() async throws {
    struct Failure: Error {}
    let system = TestSystem()
    let told = Promise<TaskFailure>()
    try await withDispatcher(errorHandler: { told.fulfil($0) }) { dispatcher in
      let isFirst = Shared(true)
      let echo = try EchoFixture(
        on: dispatcher, system: system,
        prepare: { _ in
          if isFirst.update({ first in
            defer { first = false }
            return first
          }) {
            throw Failure()
          }
        })
      let unlucky = try PlainPeer(to: echo.listener.address)
      #expect(try unlucky.readToEnd().isEmpty)
      #expect(await told.next().error is Failure)
      _ = await echo.ends.next()
      let peer = try PlainPeer(to: echo.listener.address)
      try peer.write([1])
      #expect(try peer.read(1) == [1])
      peer.close()
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
    #expect(system.counts.value.isBalanced)
  }
}
