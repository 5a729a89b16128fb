import CLinux
import Glibc
import HawtSockets

/// A closed-loop client on plain epoll and one thread: what checks the library must not rest on it.
final class LoadClient {
  private let size: Int
  private let poller: CInt
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
  private var connections: [LoadConnection] = []
  private var latencies = LatencyHistogram()
  /// How many connections may still bring something.
  private var open = 0

  init(to address: SocketAddress, connections count: Int, size: Int) throws {
    self.size = size
    poller = epoll_create1(CInt(EPOLL_CLOEXEC))
    guard poller >= 0 else { throw SocketError.system(.open, subject: "a poller", errno: errno) }
    for index in 0..<count {
      connections.append(LoadConnection(descriptor: try connect(to: address), stream: index))
      watch(index, EPOLL_CTL_ADD, writing: false)
    }
  }

  deinit {
    for connection in connections { close(connection.descriptor) }
    if poller >= 0 { close(poller) }
    buffer.deallocate()
  }

  /// - Parameter grace: how long answers may still come after the time is up, before they count as lost, and how long
  ///   the server may take to close what was finished.
  func run(seconds: Double, grace: Double = 2) throws -> LoadReport {
    let begin = Self.now()
    let end = begin + UInt64(seconds * 1e9)
    let last = end + UInt64(grace * 1e9)
    for index in connections.indices {
      open += 1
      handle(connections[index].start(size: size, now: Self.now(), using: buffer), index, end)
    }
    var events = [epoll_event](repeating: epoll_event(), count: 256)
    var time = Self.now()
    while open > 0 && time < last {
      let limit = time < end ? end : last
      let count = epoll_wait(poller, &events, CInt(events.count), CInt((limit - time) / 1_000_000 + 1))
      guard count >= 0 || errno == EINTR else {
        throw SocketError.system(.read, subject: "the poller", errno: errno)
      }
      for event in events[..<max(0, Int(count))] { serve(event, until: end) }
      time = Self.now()
    }
    return report(seconds: Double(min(time, end) - begin) / 1e9)
  }

  private func serve(_ event: epoll_event, until end: UInt64) {
    let index = Int(event.data.u64)
    if event.events & EPOLLOUT.rawValue != 0 {
      let progress = connections[index].write(using: buffer)
      if case .waiting = progress { watch(index, EPOLL_CTL_MOD, writing: false) }
      if case .closed = progress { return handle(progress, index, end) }
    }
    if event.events & ~EPOLLOUT.rawValue != 0 { handle(connections[index].read(using: buffer), index, end) }
  }

  private func handle(_ progress: LoadConnection.Progress, _ index: Int, _ end: UInt64) {
    switch progress {
    case .waiting:
      return
    case .wantsToWrite:
      watch(index, EPOLL_CTL_MOD, writing: true)
    case .answered:
      let time = Self.now()
      latencies.record(nanoseconds: time - connections[index].startedAt)
      guard time < end else { return connections[index].finish() }
      let next = connections[index].start(size: size, now: time, using: buffer)
      // Not a recursion without end: a request that was just sent is not answered yet.
      handle(next, index, end)
    case .closed(let why):
      connections[index].end()
      if connections[index].phase == .broken { Output.error("connection \(index): \(why)") }
      var event = epoll_event()
      epoll_ctl(poller, EPOLL_CTL_DEL, connections[index].descriptor, &event)
      open -= 1
    }
  }

  private func watch(_ index: Int, _ operation: CInt, writing: Bool) {
    var event = epoll_event()
    event.events = EPOLLIN.rawValue | (writing ? EPOLLOUT.rawValue : 0)
    event.data.u64 = UInt64(index)
    epoll_ctl(poller, operation, connections[index].descriptor, &event)
  }

  private func report(seconds: Double) -> LoadReport {
    LoadReport(
      connections: connections.count, requests: latencies.count, seconds: seconds,
      p50us: Int(latencies.percentile(0.50) / 1000), p99us: Int(latencies.percentile(0.99) / 1000),
      lost: connections.reduce(0) { $0 + $1.owed }, misordered: connections.reduce(0) { $0 + $1.misordered },
      broken: connections.count { $0.phase == .broken })
  }

  /// Waits for the connection: nothing else is to be done before all of them stand.
  private func connect(to address: SocketAddress) throws -> CInt {
    let system = SocketSystems.kernel
    let descriptor = system.open(address.family, .stream)
    guard descriptor >= 0 else { throw SocketError.system(.open, subject: "a socket", errno: -descriptor) }
    _ = system.set(.noDelay, 1, on: descriptor)
    var result = system.connect(descriptor, address)
    if result == -EINPROGRESS {
      var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      while poll(&request, 1, 10_000) < 0 && errno == EINTR {}
      result = request.revents == 0 ? -ETIMEDOUT : system.connectResult(descriptor)
    }
    guard result == 0 else {
      close(descriptor)
      throw SocketError.system(.connect, subject: "\(address)", errno: -result)
    }
    return descriptor
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
