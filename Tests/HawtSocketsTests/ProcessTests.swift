import Glibc
import HawtDispatch
import HawtSockets
import Testing

/// What must end the process, or must not: each in a process of its own.
@Suite("Limits, signals and misuse", .timeLimit(.minutes(10)))
struct ProcessTests {
  @Test("Out of descriptors: accepting pauses without spinning and goes on when some are free")
  func outOfDescriptors() async {
    await #expect(processExitsWith: .success) {
      let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: backends[0]))
      let errors = Promise<SocketError>()
      let echo = try EchoFixture(on: dispatcher, onError: { errors.fulfil($0) })
      var limit = rlimit(rlim_cur: 64, rlim_max: 64)
      guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(2) }
      // The C library opens files for a moment when threads start; when one is closed meanwhile, the listener may
      // rightly use its number, and this is to be tried again.
      for _ in 0..<5 {
        var hoard: [CInt] = []
        takeAll(into: &hoard)
        close(hoard.removeLast())
        let peer = try PlainPeer(to: echo.listener.address)
        takeAll(into: &hoard)
        try peer.write([2])
        let before = cpuTime()
        var pause = pollfd(fd: peer.descriptor, events: Int16(POLLIN), revents: 0)
        let answered = poll(&pause, 1, 300) != 0
        let spent = cpuTime() - before
        for copy in hoard { close(copy) }
        guard try peer.read(1) == [2] else { exit(3) }
        if answered {
          peer.close()
          _ = await echo.ends.next()
          continue
        }
        guard await errors.next().errno == EMFILE else { exit(4) }
        // 300 ms of a listener that spins would be all of them.
        exit(spent < 0.15 ? 0 : 5)
      }
      exit(6)
    }
  }

  @Test("SIGPIPE kills nobody, on no thread")
  func brokenPipe() async {
    await #expect(processExitsWith: .success) {
      signal(SIGPIPE, SIG_DFL)
      let (near, far) = try socketPair()
      close(far)
      // On a foreign thread nothing masks the signal: the call itself must not raise it.
      let result = [UInt8(1)].withUnsafeBytes { SocketSystems.kernel.write(near, $0) }
      guard result == -Int(EPIPE) else { exit(2) }
      exit(0)
    }
  }

  @Test("What is dropped in a forked child is the parent's still")
  func droppedInChild() async {
    await #expect(processExitsWith: .success) {
      let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: backends[0]))
      let queue = dispatcher.makeSerialQueue(label: "sockets")
      let paths = (0..<3).map { _ in freshPath() }
      let active = try Listener(SocketAddress(unixPath: paths[2]), on: queue, connectionQueue: { queue }) { _ in }
      try active.activate()
      var sockets: [any Sendable] = [
        try Listener(SocketAddress(unixPath: paths[0]), on: queue, connectionQueue: { queue }) { _ in },
        try DatagramSocket(at: SocketAddress(unixPath: paths[1]), on: queue), active,
      ]
      let child = forkProcess()
      if child == 0 {
        sockets = []
        _exit(0)
      }
      var status: CInt = -1
      guard waitpid(child, &status, 0) == child, status == 0 else { exit(2) }
      guard paths.allSatisfy({ access($0, F_OK) == 0 }) else { exit(3) }
      _ = try PlainPeer(to: active.address)
      withExtendedLifetime(sockets) {}
      for path in paths { unlink(path) }
      exit(0)
    }
  }

  @Test("A connection used off its queue traps")
  func offItsQueue() async {
    await #expect(processExitsWith: .failure) {
      let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: backends[0]))
      let (near, _) = try socketPair()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "mine"))
      _ = connection.pendingBytes
    }
  }

  @Test("Resuming reads too often traps")
  func resumesTooOften() async {
    await #expect(processExitsWith: .failure) {
      let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: backends[0]))
      let (near, _) = try socketPair()
      let connection = Connection(adopting: near, on: dispatcher.makeSerialQueue(label: "mine"))
      _ = try await on(connection) { $0.resumeReads() }
    }
  }
}

/// Swift hides fork: only what is safe after it may follow, as the release of objects is.
@_silgen_name("fork") private func forkProcess() -> pid_t

/// Takes all descriptors that are left.
private func takeAll(into hoard: inout [CInt]) {
  while case let copy = dup(STDERR_FILENO), copy >= 0 { hoard.append(copy) }
}

/// The processor time that this process has used, in seconds.
private func cpuTime() -> Double {
  var usage = rusage()
  getrusage(RUSAGE_SELF.rawValue, &usage)
  return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
    + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}
