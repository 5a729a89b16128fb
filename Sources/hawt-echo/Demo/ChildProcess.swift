import Glibc

/// What went wrong with a process of the demonstration.
struct ChildError: Error, CustomStringConvertible {
  let description: String
}

/// This program, started again with other arguments, its standard input and output at our end of two pipes.
final class ChildProcess {
  private let name: String
  private let identifier: pid_t
  private let input: CInt
  private let output: CInt
  private var received: [UInt8] = []
  private var isReaped = false

  init(_ arguments: [String]) throws {
    name = "hawt-echo \(arguments.first ?? "")"
    let toChild = try Self.pipe()
    let fromChild = try Self.pipe()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild.read, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, fromChild.write, STDOUT_FILENO)
    // We ignore SIGPIPE ourselves; the child must not inherit that, or it would hide what the server promises.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var defaults = sigset_t()
    sigemptyset(&defaults)
    sigaddset(&defaults, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var words: [UnsafeMutablePointer<CChar>?] = (["hawt-echo"] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var identifier = pid_t()
    let result = posix_spawn(&identifier, "/proc/self/exe", &actions, &attributes, &words, environ)
    close(toChild.read)
    close(fromChild.write)
    input = toChild.write
    output = fromChild.read
    self.identifier = identifier
    guard result == 0 else {
      isReaped = true
      throw ChildError(description: "\(name) could not be started: \(String(cString: strerror(result)))")
    }
  }

  /// Nothing that was started is left behind, whatever failed.
  deinit {
    close(input)
    close(output)
    guard !isReaped else { return }
    kill(identifier, SIGKILL)
    var status: CInt = 0
    while waitpid(identifier, &status, 0) < 0 && errno == EINTR {}
  }

  /// Sends a line to its standard input. A child that has gone shows at the next read.
  func send(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
  }

  func terminate() { kill(identifier, SIGTERM) }

  /// The next line that it prints; waits at most `seconds`.
  func line(within seconds: Double) throws -> String {
    guard let line = try lineIfAny(within: seconds) else {
      throw ChildError(description: "\(name) printed nothing for \(seconds) s")
    }
    return line
  }

  /// The same, nil if none comes in time.
  func lineIfAny(within seconds: Double) throws -> String? {
    let end = Self.now() + seconds
    while true {
      if let newline = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeSubrange(...newline) }
        return String(decoding: received[..<newline], as: UTF8.self)
      }
      let left = end - Self.now()
      guard left > 0 else { return nil }
      var request = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&request, 1, CInt(left * 1000) + 1) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(output, &buffer, buffer.count)
      guard count > 0 else {
        throw ChildError(description: "\(name) ended too early, with status \(try status(within: 2))")
      }
      received += buffer[..<count]
    }
  }

  /// Its exit status (128 + n if signal n ended it); waits at most `seconds`.
  func status(within seconds: Double) throws -> Int {
    let end = Self.now() + seconds
    var status: CInt = 0
    while true {
      let result = waitpid(identifier, &status, WNOHANG)
      if result == identifier { break }
      guard Self.now() < end else { throw ChildError(description: "\(name) did not end within \(seconds) s") }
      usleep(2000)
    }
    isReaped = true
    let signal = status & 0x7f
    return signal == 0 ? Int(status >> 8) & 0xff : 128 + Int(signal)
  }

  /// Both ends close on exec, so that no child holds another's pipe open; `adddup2` clears that for its copies.
  private static func pipe() throws -> (read: CInt, write: CInt) {
    var ends: [CInt] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else {
      throw ChildError(description: "no pipe: \(String(cString: strerror(errno)))")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
