import CLinux
import Glibc
import Polling

private let both: Interest = [.read, .write]

extension DescriptorState {
  /// What the kernel offers as descriptors beside files and sockets.
  static let kernelObjects = [
    DescriptorState("eventfd: zero", .write) { $0.keep(try Descriptor.event()) },
    DescriptorState("eventfd: rung", both) { stage in
      let event = stage.keep(try Descriptor.event())
      event.ring()
      return event
    },
    DescriptorState("eventfd: at its maximum", .read) { stage in
      let event = stage.keep(try Descriptor.event())
      var most = UInt64.max - 1
      _ = write(event.number, &most, 8)
      return event
    },
    DescriptorState("timerfd: not armed", []) { try $0.timer(nil) },
    DescriptorState("timerfd: due in an hour", []) { try $0.timer(.seconds(3_600)) },
    DescriptorState("timerfd: expired", .read) { try $0.timer(.nanoseconds(1)) },
    DescriptorState("signalfd: no signal", []) { try $0.signals(isPending: false) },
    DescriptorState("signalfd: a signal is pending", .read) { try $0.signals(isPending: true) },
    DescriptorState("inotify: nothing has happened", []) { try $0.inotify(hasNews: false) },
    DescriptorState("inotify: a file was made", .read) { try $0.inotify(hasNews: true) },
    DescriptorState("epoll: nothing is ready in it", []) { try $0.nested(isReady: false) },
    DescriptorState("epoll: something is ready in it", .read) { try $0.nested(isReady: true) },
  ]

  /// Processes.
  static let processStates = [
    DescriptorState("pidfd: it runs", []) { try $0.process(until: .runs) },
    DescriptorState("pidfd: it has ended", .read) { try $0.process(until: .ended) },
    DescriptorState("pidfd: it was waited for", .alike) { try $0.process(until: .waitedFor).number },
  ]

  /// What cannot be watched at all, and what is ready whenever it is asked.
  static let refusedFiles = [
    DescriptorState("regular file", .refused(EPERM)) { try $0.file("/proc/self/exe", O_RDONLY) },
    DescriptorState("file in memory", .refused(EPERM)) { try $0.memory() },
    DescriptorState("directory", .refused(EPERM)) { try $0.file("/", O_RDONLY | O_DIRECTORY) },
    DescriptorState("/dev/null", .refused(EPERM)) { try $0.file("/dev/null", O_RDWR) },
    DescriptorState("/dev/zero", .refused(EPERM)) { try $0.file("/dev/zero", O_RDONLY) },
    DescriptorState("/dev/full", .refused(EPERM)) { try $0.file("/dev/full", O_RDWR) },
    DescriptorState("/dev/urandom", .alike) { try $0.file("/dev/urandom", O_RDONLY) },
    DescriptorState("file of /proc", .alike) { try $0.file("/proc/self/status", O_RDONLY) },
    DescriptorState("mounts of /proc", .alike) { try $0.file("/proc/self/mounts", O_RDONLY) },
    DescriptorState("a path that is not opened", .refused(EBADF)) { try $0.file("/", pathOnly) },
    DescriptorState("closed", .refused(EBADF)) { stage in
      // High, where no other thread of the process opens anything meanwhile; and each looks at another number.
      let ends = try stage.pipe()
      let high = ends.near.duplicate(from: Process.highDescriptor + CInt(closedNumbers.add() % 250))
      high.close()
      return high.number
    },
    DescriptorState("never opened", .refused(EBADF)) { _ in 1_000_000 },
    DescriptorState("negative", .refused(EBADF)) { _ in -1 },
    DescriptorState("the least number", .refused(EBADF)) { _ in CInt.min },
  ]
}

private let closedNumbers = Tally()

/// `O_PATH`, which Swift does not see without the C library's extensions.
private let pathOnly: CInt = 0o10000000

extension Stage {
  fileprivate func file(_ path: String, _ mode: CInt) throws -> CInt {
    keep(Descriptor(try granted(open(path, mode | O_CLOEXEC), "descriptor of \(path)"))).number
  }

  fileprivate func memory() throws -> CInt {
    keep(Descriptor(try granted(MissingCalls.createMemoryFile("hawt-conformance"), "file in memory"))).number
  }

  fileprivate func timer(_ delay: Duration?) throws -> Descriptor {
    let timer = try keep(timerfd_create(CLOCK_MONOTONIC, hawt_timerfd_flags), "timerfd")
    guard let delay else { return timer }
    var due = itimerspec()
    due.it_value.tv_sec = Int(delay.components.seconds)
    due.it_value.tv_nsec = Int(delay.components.attoseconds / 1_000_000_000)
    try granted(timerfd_settime(timer.number, 0, &due, nil), "armed timerfd")
    return timer
  }

  /// A signal for this thread alone, which must have it blocked and is the one that waits.
  fileprivate func signals(isPending: Bool) throws -> Descriptor {
    // One of the real-time signals, in the middle: nobody else in a test process is likely to use it.
    let signal: CInt = 47
    var watched = sigset_t()
    var before = sigset_t()
    sigemptyset(&watched)
    sigaddset(&watched, signal)
    pthread_sigmask(SIG_BLOCK, &watched, &before)
    let former = before
    atEnd {
      var (left, mask, none) = (watched, former, timespec())
      sigtimedwait(&left, nil, &none)
      pthread_sigmask(SIG_SETMASK, &mask, nil)
    }
    let descriptor = try keep(signalfd(-1, &watched, CInt(O_NONBLOCK) | CInt(O_CLOEXEC)), "signalfd")
    if isPending { pthread_kill(pthread_self(), signal) }
    return descriptor
  }

  fileprivate func inotify(hasNews: Bool) throws -> Descriptor {
    let watcher = try keep(inotify_init1(CInt(O_NONBLOCK) | CInt(O_CLOEXEC)), "inotify descriptor")
    let directory = try temporaryDirectory()
    try granted(inotify_add_watch(watcher.number, directory, UInt32(IN_CREATE)), "watch of a directory")
    if hasNews {
      close(open(directory + "/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600))
      unlink(directory + "/file")
    }
    return watcher
  }

  fileprivate func nested(isReady: Bool) throws -> Descriptor {
    let inner = try keep(epoll_create1(hawt_epoll_cloexec), "epoll descriptor")
    let member = keep(try Descriptor.event())
    var event = epoll_event()
    event.events = hawt_epoll_in
    try granted(epoll_ctl(inner.number, EPOLL_CTL_ADD, member.number, &event), "member of an epoll descriptor")
    if isReady { member.ring() }
    return inner
  }
}
