import Glibc
import HawtDispatch
import HawtSockets
import Testing

@Suite("Datagrams", .timeLimit(.minutes(10)))
struct DatagramTests {
  struct Arrival: Sendable, Hashable {
    let bytes: [UInt8]
    let isTruncated: Bool
    let sender: SocketAddress?
  }

  /// A socket that tells of what it receives, into buffers of `capacity` bytes.
  private func receiver(
    at address: SocketAddress, peer: SocketAddress? = nil, on dispatcher: Dispatcher, capacity: Int = 2048,
    system: any SocketSystem = SocketSystems.kernel
  ) async throws -> (DatagramSocket, Promise<Arrival>) {
    let arrivals = Promise<Arrival>()
    let socket = try DatagramSocket(
      at: address, peer: peer, on: dispatcher.makeSerialQueue(label: "datagrams"), system: system)
    try await use(socket) { socket in
      socket.setReadHandler { socket in
        var buffer = [UInt8](repeating: 0, count: capacity)
        while let received = try buffer.withUnsafeMutableBytes({ try socket.receive(into: $0) }) {
          arrivals.fulfil(
            Arrival(
              bytes: Array(buffer[..<received.count]), isTruncated: received.isTruncated, sender: received.sender))
        }
      }
      try socket.activate()
    }
    return (socket, arrivals)
  }

  /// Runs `body` on the socket's queue and waits for what it says.
  private func use<Value: Sendable>(
    _ socket: DatagramSocket, _ body: @escaping @Sendable (DatagramSocket) throws -> Value
  ) async throws -> Value {
    let result = Promise<Result<Value, any Error>>()
    socket.queue.async { result.fulfil(Result { try body(socket) }) }
    return try await result.next().get()
  }

  private func close(_ socket: DatagramSocket) async throws {
    let closed = Promise<Void>()
    try await use(socket) { $0.setCloseHandler { closed.fulfil() } }
    socket.cancel()
    socket.cancel()
    await closed.next()
  }

  @Test("There and back, with senders", arguments: backends, ConnectionTests.Place.allCases)
  func thereAndBack(backend: Backend, place: ConnectionTests.Place) async throws {
    let system = TestSystem()
    try await withDispatcher(backend) { dispatcher in
      let (left, leftArrivals) = try await receiver(at: place.address(), on: dispatcher, system: system)
      let (right, rightArrivals) = try await receiver(at: place.address(), on: dispatcher, system: system)
      for round in 0..<20 {
        let bytes = pattern(100 + round)
        #expect(try await use(left) { try $0.send(bytes.span.bytes, to: right.address) })
        #expect(
          await rightArrivals.next() == Arrival(bytes: bytes, isTruncated: false, sender: left.address))
        #expect(try await use(right) { try $0.send(bytes.span.bytes, to: left.address) })
        #expect(await leftArrivals.next() == Arrival(bytes: bytes, isTruncated: false, sender: right.address))
      }
      try await close(left)
      try await close(right)
      if let path = left.address.unixPath { #expect(access(path, F_OK) != 0) }
    }
    #expect(system.counts.value.isBalanced)
  }

  @Test("A datagram longer than the buffer is cut and says so; an empty one arrives")
  func lengths() async throws {
    try await withDispatcher { dispatcher in
      let (socket, arrivals) = try await receiver(at: .loopback(), on: dispatcher, capacity: 10)
      let address = socket.address
      for length in [11, 10, 0] {
        try await use(socket) { _ = try $0.send(pattern(length).span.bytes, to: address) }
        #expect(
          await arrivals.next()
            == Arrival(bytes: pattern(min(length, 10)), isTruncated: length > 10, sender: address))
      }
      try await close(socket)
    }
  }

  @Test("Nobody listens at the target: the error comes with a later call, and the socket lives on")
  func refused() async throws {
    let errors = Promise<TaskFailure>()
    try await withDispatcher(errorHandler: { errors.fulfil($0) }) { dispatcher in
      let (gone, _) = try await receiver(at: quietHost(), on: dispatcher)
      let (socket, arrivals) = try await receiver(at: .loopback(), peer: gone.address, on: dispatcher)
      try await close(gone)
      try await use(socket) { _ = try $0.send([UInt8](1...2).span.bytes) }
      #expect((await errors.next().error as? SocketError)?.errno == ECONNREFUSED)
      let (back, _) = try await receiver(at: gone.address, peer: socket.address, on: dispatcher)
      try await use(back) { _ = try $0.send([UInt8(3)].span.bytes) }
      #expect(await arrivals.next().bytes == [3])
      try await close(socket)
      try await close(back)
    }
  }

  @Test("A full kernel buffer is told, and whenWritable calls once for each time it is asked")
  func whenWritable() async throws {
    let system = TestSystem()
    system.faults.update { $0.fullSends = 1 }
    try await withDispatcher { dispatcher in
      let (target, arrivals) = try await receiver(at: .loopback(), on: dispatcher)
      let (socket, _) = try await receiver(at: .loopback(), on: dispatcher, system: system)
      let address = target.address
      #expect(try await use(socket) { try $0.send([UInt8(1)].span.bytes, to: address) } == false)
      for round in UInt8(0)..<3 {
        let calls = Promise<Void>()
        try await use(socket) { socket in
          try socket.whenWritable { socket in
            try socket.send([round].span.bytes, to: address)
            calls.fulfil()
          }
        }
        #expect(await arrivals.next().bytes == [round])
        await calls.next()
        #expect(calls.count == 0)
      }
      try await close(socket)
      try await close(target)
    }
  }

  @Test("A read handler that is set after the first datagram has come receives it", arguments: backends)
  func lateReadHandler(backend: Backend) async throws {
    try await withDispatcher(backend) { dispatcher in
      let socket = try DatagramSocket(at: .loopback(), on: dispatcher.makeSerialQueue(label: "late"))
      let address = socket.address
      try await use(socket) { socket in
        try socket.activate()
        _ = try socket.send([UInt8(7)].span.bytes, to: address)
      }
      try await passPollers(of: dispatcher)
      let received = Promise<Int>()
      try await use(socket) { socket in
        socket.setReadHandler { socket in
          var buffer = [UInt8](repeating: 0, count: 10)
          if let one = try buffer.withUnsafeMutableBytes({ try socket.receive(into: $0) }) {
            received.fulfil(one.count)
          }
        }
      }
      #expect(await received.next() == 1)
      try await use(socket) { _ = try $0.send([UInt8](1...2).span.bytes, to: address) }
      #expect(await received.next() == 2)
      try await close(socket)
    }
  }

  @Test("IPv4 and IPv6 are apart: each has its own socket at the same port")
  func familiesAreApart() async throws {
    try await withDispatcher { dispatcher in
      let queue = dispatcher.makeSerialQueue(label: "families")
      let six = try DatagramSocket(at: .anyIPv6(port: 0), on: queue)
      let port = try #require(six.address.port)
      // Nobody else has it there: at 127.0.0.77 no other test listens.
      let four = try DatagramSocket(at: quietHost(port: port), on: queue)
      #expect(four.address.port == port)
    }
  }

  @Test("A Unix receiver that is behind costs its sender no CPU, and gets the datagram when it has caught up")
  func receiverIsBehind() async throws {
    try await withDispatcher { dispatcher in
      let receiver = try DatagramSocket(
        at: SocketAddress(unixPath: freshPath()), on: dispatcher.makeSerialQueue(label: "receiver"))
      let sender = try DatagramSocket(
        at: SocketAddress(unixPath: freshPath()), on: dispatcher.makeSerialQueue(label: "sender"))
      let tries = Promise<ContinuousClock.Instant>()
      let sent = Promise<Void>()
      @Sendable func send(_ socket: DatagramSocket) throws {
        tries.fulfil(.now)
        if try socket.send([UInt8(2)].span.bytes, to: receiver.address) { return sent.fulfil() }
        try socket.whenWritable { try send($0) }
      }
      try await use(sender) { sender in
        while try sender.send([UInt8(1)].span.bytes, to: receiver.address) {}
        try send(sender)
      }
      let first = await tries.next()
      for _ in 0..<4 { _ = await tries.next() }
      // Six tries are five pauses apart, however slow the machine is.
      #expect(await tries.next() - first >= .milliseconds(5 * 2))
      #expect(sent.count == 0)
      try await use(receiver) { receiver in
        var buffer = [UInt8](repeating: 0, count: 10)
        while try buffer.withUnsafeMutableBytes({ try receiver.receive(into: $0) }) != nil {}
      }
      await sent.next()
      try await close(sender)
      try await close(receiver)
    }
  }

  @Test("A sender whose address is no text gets its reply")
  func addressIsNoText() async throws {
    try await withDispatcher { dispatcher in
      let (socket, arrivals) = try await receiver(at: SocketAddress(unixPath: freshPath()), on: dispatcher)
      let system = SocketSystems.kernel
      let sender = system.open(.unix, .datagram)
      defer { system.close(sender) }
      // An abstract name with a byte that begins no character.
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      let bytes: [UInt8] = [0, 0xff] + Array(freshPath().utf8)
      withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
      let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count)
      let bound = withUnsafePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(sender, $0, length) }
      }
      try #require(bound == 0)
      #expect([UInt8(1)].withUnsafeBytes { system.send(sender, $0, to: socket.address) } == 1)
      let from = await arrivals.next().sender
      try await use(socket) { _ = try $0.send([UInt8](1...3).span.bytes, to: from) }
      var buffer = [UInt8](repeating: 0, count: 10)
      #expect(buffer.withUnsafeMutableBytes { system.read(sender, into: $0) } == 3)
      try await close(socket)
    }
  }

  @Test("A datagram that is too long is refused, and the socket lives on")
  func tooLong() async throws {
    try await withDispatcher { dispatcher in
      let (socket, arrivals) = try await receiver(at: .loopback(), on: dispatcher)
      let address = socket.address
      let code = try await use(socket) { socket -> CInt? in
        do {
          try socket.send(pattern(70_000).span.bytes, to: address)
          return nil
        } catch let error as SocketError {
          return error.errno
        }
      }
      #expect(code == EMSGSIZE)
      try await use(socket) { _ = try $0.send([UInt8(1)].span.bytes, to: address) }
      #expect(await arrivals.next().bytes == [1])
      try await close(socket)
    }
  }
}
