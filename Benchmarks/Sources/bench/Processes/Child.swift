import CSupport
import Glibc

/// A program of the suite: started, talked to in lines, and ended.
final class Child {
  let name: String
  let process: pid_t
  private var input: CInt
  private let output: CInt
  private var buffered: [UInt8] = []

  /// How long a program may take to say a line.
  private static let patience: CInt = 60_000

  /// Starts a program that lies beside this one, or whose whole path is given.
  ///
  /// - Parameter cpu: where it may run; nil: on all that this process may use.
  init(_ name: String, _ arguments: [String], cpu: CInt?) throws(BenchError) {
    self.name = name
    let toChild = try Self.makePipe()
    let fromChild = try Self.makePipe()
    defer {
      close(toChild.reading)
      close(fromChild.writing)
    }
    (input, output) = (toChild.writing, fromChild.reading)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild.reading, STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, fromChild.writing, STDOUT_FILENO)
    // A child inherits where the thread that starts it may run.
    bench_pin(cpu ?? -1)
    defer { bench_pin(-1) }
    var strings = ([Self.path(of: name)] + arguments).map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    var child: pid_t = 0
    let result = posix_spawn(&child, strings[0]!, &actions, nil, &strings, environ)
    guard result == 0 else {
      throw BenchError("\(name) cannot be started: \(systemMessage(result)); build the whole package first")
    }
    process = child
  }

  /// Where a program of the suite lies.
  static func path(of name: String) -> String {
    if name.hasPrefix("/") { return name }
    var path = [UInt8](repeating: 0, count: 4096)
    let length = readlink("/proc/self/exe", &path, path.count)
    let own = String(decoding: path[..<max(0, length)], as: UTF8.self)
    return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/" + name
  }

  private static func makePipe() throws(BenchError) -> (reading: CInt, writing: CInt) {
    var ends: [CInt] = [0, 0]
    guard pipe(&ends) == 0 else { throw BenchError("no pipe: \(systemMessage())") }
    // Only the program that it is made for inherits it; otherwise others would keep it open.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// The next line that it says; nil at its end.
  func line() throws(BenchError) -> String? {
    while true {
      if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffered.removeFirst(end + 1) }
        return String(decoding: buffered[..<end], as: UTF8.self)
      }
      var readable = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
      guard poll(&readable, 1, Self.patience) > 0 else {
        kill(process, SIGKILL)
        throw BenchError("\(name) said nothing for \(Self.patience / 1000) s and was ended")
      }
      var bytes = [UInt8](repeating: 0, count: 4096)
      let count = read(output, &bytes, bytes.count)
      guard count > 0 else { return nil }
      buffered += bytes[..<count]
    }
  }

  /// The next figure that it reports, which must be of this name.
  func figure(_ key: String) throws(BenchError) -> Double {
    guard let line = try line(), let figure = Figures.parse(line), figure.key == key else {
      throw BenchError("\(name) ended, or said something else, instead of '\(key)'")
    }
    return figure.value
  }

  func ask(_ command: String) throws(BenchError) -> Double {
    let line = Array("\(command)\n".utf8)
    guard write(input, line, line.count) == line.count else { throw BenchError("\(name) takes no more commands") }
    return try figure(command)
  }

  /// What it reports up to the last figure, while it goes on living.
  func figures(through last: String) throws(BenchError) -> Figures {
    var figures = Figures()
    while let line = try line() {
      guard let figure = Figures.parse(line) else { continue }
      figures[figure.key] = figure.value
      if figure.key == last { return figures }
    }
    throw BenchError("\(name) ended without telling '\(last)'; see what it said above")
  }

  /// All figures until its end, and the CPU time that it took, under `cpu-seconds`.
  func finish() throws(BenchError) -> Figures {
    closeInput()
    var figures = Figures()
    while let line = try line() {
      if let figure = Figures.parse(line) { figures[figure.key] = figure.value }
    }
    figures["cpu-seconds"] = try wait()
    return figures
  }

  /// Ends it by the end of its input; returns the CPU time that it took.
  func stop() throws(BenchError) -> Double {
    closeInput()
    return try wait()
  }

  /// Ends it by SIGINT; returns what it still said.
  func interrupt() throws(BenchError) -> [String] {
    kill(process, SIGINT)
    var lines: [String] = []
    while let line = try line() { lines.append(line) }
    closeInput()
    var status: CInt = 0
    _ = reap(&status)
    return lines
  }

  private func closeInput() {
    if input >= 0 { close(input) }
    input = -1
  }

  private func wait() throws(BenchError) -> Double {
    var status: CInt = 0
    let seconds = reap(&status)
    guard status == 0 else { throw BenchError("\(name) failed (wait status \(status)); see what it said above") }
    return seconds
  }

  private func reap(_ status: inout CInt) -> Double {
    defer { close(output) }
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0 {
      precondition(errno == EINTR, "\(name) cannot be waited for: \(systemMessage())")
    }
    return usage.ru_utime.seconds + usage.ru_stime.seconds
  }
}

extension timeval {
  var seconds: Double { Double(tv_sec) + Double(tv_usec) / 1e6 }
}
