import Glibc
import Testing

/// The command as a process of its own, what it prints on either stream at our end of a socket.
final class EchoProcess {
  /// How long a process may take for what it does at once on an idle machine.
  static let patience = 60.0

  let identifier: pid_t
  private let output: CInt
  private var received: [UInt8] = []
  private var isReaped = false

  /// How the process finds the signals that end it. The test's own thread may have any blocked, so that it is said.
  enum Signals {
    case untouched
    /// Ignored, as a shell leaves SIGINT for what it starts with `&`.
    case ignored
    /// Blocked, as on the threads of some libraries, which their children inherit.
    case blocked
  }

  init(_ arguments: [String], signals: Signals = .untouched) throws {
    let path = try Self.executable()
    var ends: [CInt] = [-1, -1]
    // Not a pipe, which another thread's child could inherit before it is told to close on exec, and then hold open.
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = sigset_t()
    sigemptyset(&mask)
    if signals == .blocked { for signal in [SIGINT, SIGTERM] { sigaddset(&mask, signal) } }
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    // Were this process to ignore a signal for a moment instead, other tests' processes would find it so, too.
    let program = signals == .ignored ? "/bin/sh" : path
    let words =
      signals == .ignored
      ? ["sh", "-c", "trap '' INT TERM; exec \"$0\" \"$@\"", path] + arguments : ["hawt-echo"] + arguments
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var identifier = pid_t()
    let result = posix_spawn(&identifier, program, &actions, &attributes, &pointers, environ)
    close(ends[1])
    self.identifier = identifier
    output = ends[0]
    isReaped = result != 0
    try #require(result == 0, "\(path): \(String(cString: strerror(result)))")
  }

  /// Nothing that was started is left behind, whatever failed.
  deinit {
    close(output)
    guard !isReaped else { return }
    kill(identifier, SIGKILL)
    _ = reap()
  }

  func send(_ signal: CInt) { kill(identifier, signal) }

  /// The next line that it prints.
  func line() throws -> String {
    while true {
      if let newline = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeSubrange(...newline) }
        return String(decoding: received[..<newline], as: UTF8.self)
      }
      try #require(try readMore(), "it ended and had printed: \(String(decoding: received, as: UTF8.self))")
    }
  }

  /// Waits for its end: everything else that it printed, and its exit code, 128 + n if signal n ended it.
  func ended() throws -> (code: Int, text: String) {
    while try readMore() {}
    let status = reap()
    isReaped = true
    let signal = Int(status & 0x7f)
    return (signal == 0 ? Int(status >> 8) & 0xff : 128 + signal, String(decoding: received, as: UTF8.self))
  }

  /// Whether it has ended; `ended()` still tells how.
  var isOver: Bool {
    var information = siginfo_t()
    return waitid(P_PID, id_t(identifier), &information, WEXITED | WNOHANG | WNOWAIT) != 0
      || information._sifields._sigchld.si_pid != 0
  }

  /// The port that a server has printed.
  func port() throws -> UInt16 {
    let line = try line()
    let prefix = "listening 127.0.0.1:"
    try #require(line.hasPrefix(prefix), "\(line)")
    return try #require(UInt16(line.dropFirst(prefix.count)))
  }

  /// False at the end.
  private func readMore() throws -> Bool {
    var request = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
    let end = now() + Self.patience
    var ready: CInt = -1
    while ready < 0 && now() < end { ready = poll(&request, 1, CInt(Self.patience * 1000)) }
    try #require(ready > 0, "nothing was printed for \(Self.patience) s, and the process did not end")
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = read(output, &buffer, buffer.count)
    guard count > 0 else { return false }
    received += buffer[..<count]
    return true
  }

  private func reap() -> CInt {
    var status: CInt = 0
    while waitpid(identifier, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  /// It lies beside the test bundle.
  private static func executable() throws -> String {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    try #require(count > 0)
    let here = String(decoding: buffer[..<count], as: UTF8.self)
    return here.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/hawt-echo"
  }
}

/// Seconds on a clock that nobody sets.
func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
