import Glibc
import HawtDispatch
import HawtSockets
import Testing

/// What keeps a socket open, and what closes it: nothing may be left behind.
@Suite("Lifetime", .timeLimit(.minutes(1)))
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

  @Test("A datagram socket that has waited to be writable is closed when it is dropped", arguments: backends)
  func droppedAfterWaiting(backend: Backend) async throws {
    let system = TestSystem()
    let path = freshPath()
    try await withDispatcher(backend) { dispatcher in
      let closed = Promise<Void>()
      let queue = dispatcher.makeSerialQueue(label: "datagrams")
      do {
        let socket = try DatagramSocket(at: SocketAddress(unixPath: path), on: queue, system: system)
        queue.async {
          socket.setCloseHandler { closed.fulfil() }
          try socket.whenWritable { _ in }
        }
      }
      await closed.next()
    }
    #expect(access(path, F_OK) != 0)
    #expect(system.counts.value.isBalanced)
  }
}
