import HawtDispatch
import HawtSockets
import Testing

@Suite("Partial writes and back-pressure", .timeLimit(.minutes(10)))
struct WritingTests {
  @Test("Partial writes are continued in order, however little the kernel takes", arguments: backends, [1, 7, 4096])
  func continuesInOrder(backend: Backend, mostPerWrite: Int) async throws {
    let system = TestSystem()
    system.faults.update { $0.mostPerWrite = mostPerWrite }
    try await withDispatcher(backend) { dispatcher in
      let (near, far) = try socketPair()
      system.counts.update { $0.opened[near] = 1 }
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"), system: system)
      let ended = Promise<CloseReason>()
      let total = min(mostPerWrite * 2000, 500_000)
      try await on(connection) { connection in
        connection.setCloseHandler { ended.fulfil($0) }
        // Many writes, most of them while others are pending.
        let bytes = pattern(total)
        for start in stride(from: 0, to: total, by: mostPerWrite * 3 + 1) {
          try connection.write(Array(bytes[start..<min(total, start + mostPerWrite * 3 + 1)]))
        }
        #expect(connection.pendingBytes > 0)
        connection.closeAfterWriting(lingering: .zero)
      }
      let peer = PlainPeer(adopting: far)
      #expect(try peer.readToEnd() == pattern(total))
      guard case .finished = await ended.next() else {
        Issue.record("closeAfterWriting must end in .finished")
        return
      }
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A slow reader gets every byte in order over TCP, and the writer waits without spinning", arguments: backends)
  func slowReader(backend: Backend) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let total = 4 << 20
      let ended = Promise<CloseReason>()
      let accepted = Promise<Connection>()
      let listener = try Listener(
        .loopback(), on: dispatcher.makeSerialQueue(label: "accept"), system: system,
        connectionQueue: { dispatcher.makeSerialQueue(label: "writer") }
      ) { connection in
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.write(pattern(total))
        accepted.fulfil(connection)
        connection.closeAfterWriting()
      }
      try listener.activate()
      let peer = try PlainPeer(to: listener.address, receiveBuffer: 8192)
      let connection = await accepted.next()
      #expect(try await on(connection) { $0.pendingBytes } > 0)
      var position = 0
      while let bytes = try peer.readSome(atMost: 100_000) {
        #expect(bytes == pattern(bytes.count, from: position))
        position += bytes.count
      }
      #expect(position == total)
      peer.close()
      _ = await ended.next()
      // Each write that was not the last found the kernel's buffer with room: a writer that spins finds none.
      #expect(system.counts.value.writes < 4000)
      listener.cancel()
    }
  }

  @Test("A peer that sends and does not read is held back, and let go on when it reads", arguments: backends)
  func backPressure(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let marks = ConnectionOptions.WaterMarks(high: 100_000, low: 10_000)
      let held = Promise<Int>()
      let echo = try EchoFixture(
        on: dispatcher, options: .init(connection: .init(waterMarks: marks)),
        prepare: { connection in
          connection.setReadHandler { connection in
            try connection.read { try connection.write($0) }
            if connection.isReadingHeld { held.fulfil(connection.pendingBytes) }
          }
        })
      let peer = try PlainPeer(to: echo.listener.address, receiveBuffer: 8192)
      let connection = await echo.connections.next()
      var sent = 0
      while held.count == 0 {
        let more = peer.writeWhatFits(pattern(65536, from: sent))
        sent += more
        if more == 0 { await Task.yield() }
        try #require(sent < 64 << 20, "the server never held its peer back")
      }
      let pending = await held.next()
      #expect(pending > marks.high && pending <= marks.high + 64 * 1024, "at most one read above the mark: \(pending)")
      #expect(try peer.read(sent) == pattern(sent))
      peer.finishWriting()
      #expect(try peer.readToEnd().isEmpty)
      _ = await echo.ends.next()
      withExtendedLifetime(connection) {}
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }

  @Test("The drain handler runs once per spell, at the low-water mark")
  func drainHandler() async throws {
    let system = TestSystem()
    system.faults.update { $0.mostPerWrite = 1000 }
    try await withDispatcher { dispatcher in
      let (near, far) = try socketPair()
      system.counts.update { $0.opened[near] = 1 }
      let connection = Connection(
        adopting: near, on: dispatcher.makeSerialQueue(label: "c"),
        options: .init(waterMarks: .init(high: 10_000, low: 2_500)), system: system)
      let drained = Promise<Int>()
      let ended = Promise<CloseReason>()
      try await on(connection) { connection in
        connection.setDrainHandler { drained.fulfil($0.pendingBytes) }
        connection.setCloseHandler { ended.fulfil($0) }
        try connection.write(pattern(15_000))
      }
      #expect(await drained.next() == 2_000)
      let peer = PlainPeer(adopting: far)
      #expect(try peer.read(15_000) == pattern(15_000))
      #expect(try await on(connection) { $0.pendingBytes } == 0)
      #expect(drained.count == 0)
      connection.cancel()
      _ = await ended.next()
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("suspendReads nests; what came meanwhile is there after the last resumeReads", arguments: backends)
  func suspendReads(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let (near, far) = try socketPair()
      let received = Promise<[UInt8]>()
      let ended = Promise<CloseReason>()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "c"))
      try await on(connection) { connection in
        connection.setReadHandler { connection in
          try connection.read { span in received.fulfil(span.withUnsafeBytes { Array($0) }) }
        }
        connection.setCloseHandler { ended.fulfil($0) }
        connection.suspendReads()
        try connection.activate()
        connection.suspendReads()
      }
      let peer = PlainPeer(adopting: far)
      try peer.write([1, 2, 3])
      try await on(connection) { $0.resumeReads() }
      // A round trip through the poller of another source shows that this one has been passed over.
      let echo = try EchoFixture(on: dispatcher)
      let other = try PlainPeer(to: echo.listener.address)
      try other.write([9])
      #expect(try other.read(1) == [9])
      #expect(received.count == 0)
      try await on(connection) { $0.resumeReads() }
      #expect(await received.next() == [1, 2, 3])
      connection.cancel()
      _ = await ended.next()
      other.close()
      _ = await echo.ends.next()
      echo.listener.cancel()
      await echo.listenerClosed.next()
    }
  }
}
