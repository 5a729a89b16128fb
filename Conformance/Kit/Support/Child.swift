import Glibc

/// How a child process ended, and what it said.
struct ChildOutcome: Sendable {
  /// Nil if a signal ended it.
  let exitCode: CInt?
  let signal: CInt?
  let timedOut: Bool
  let standardOutput: String
  let standardError: String

  var succeeded: Bool { exitCode == 0 && !timedOut }

  /// How it ended, and the end of what it said: what a report needs.
  var excerpt: String {
    let how =
      if timedOut { "killed after the time limit" } else if let signal { "signal \(signal)" } else {
        "exit code \(exitCode ?? -1)"
      }
    return "\(how); \(standardError.suffix(600))"
  }
}

/// Runs `executable` with its arguments and with variables added to the environment, and kills it when `bound` passes.
///
/// `posix_spawn`, because a fork of a process with threads may do next to nothing.
func spawn(
  _ executable: String, _ words: [String] = [], environment: [String: String], atMost bound: Duration
) throws -> ChildOutcome {
  var output: [CInt] = [-1, -1]
  var errors: [CInt] = [-1, -1]
  // A writing end that leaked into another child, started at the same time, would keep this one's output from ending.
  guard MissingCalls.openPipe(&output) == 0, MissingCalls.openPipe(&errors) == 0 else {
    let code = errno
    for descriptor in output where descriptor >= 0 { close(descriptor) }
    throw CheckFailure("no pipe for a child process: errno \(code)")
  }
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
  posix_spawn_file_actions_adddup2(&actions, output[1], 1)
  posix_spawn_file_actions_adddup2(&actions, errors[1], 2)

  var variables: [UnsafeMutablePointer<CChar>?] = inheritedEnvironment(without: environment).map { strdup($0) }
  variables += environment.map { strdup("\($0.key)=\($0.value)") }
  variables.append(nil)
  var arguments: [UnsafeMutablePointer<CChar>?] = ([executable] + words).map { strdup($0) } + [nil]
  defer { (variables + arguments).forEach { free($0) } }

  var child = pid_t()
  // The threads of Swift's concurrency have most signals blocked, and a child inherits that from whoever starts it.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var nothing = sigset_t()
  sigemptyset(&nothing)
  posix_spawnattr_setsigmask(&attributes, &nothing)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
  let code = posix_spawn(&child, executable, &actions, &attributes, &arguments, &variables)
  close(output[1])
  close(errors[1])
  guard code == 0 else {
    close(output[0])
    close(errors[0])
    throw CheckFailure("could not start \(executable): errno \(code)")
  }
  let said = collect([output[0], errors[0]], from: child, atMost: bound)
  var status: CInt = 0
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  let signal = status & 0x7f
  return ChildOutcome(
    exitCode: signal == 0 ? (status >> 8) & 0xff : nil, signal: signal == 0 ? nil : signal, timedOut: said.timedOut,
    standardOutput: String(decoding: said.texts[0], as: UTF8.self),
    standardError: String(decoding: said.texts[1], as: UTF8.self))
}

private func inheritedEnvironment(without replaced: [String: String]) -> [String] {
  var result: [String] = []
  var next = environ
  while let entry = next.pointee {
    let text = String(cString: entry)
    let name = text.split(separator: "=", maxSplits: 1).first.map(String.init) ?? ""
    if replaced[name] == nil { result.append(text) }
    next += 1
  }
  return result
}

/// Reads both pipes to their ends; kills the child when the bound passes, which ends them.
private func collect(
  _ descriptors: [CInt], from child: pid_t, atMost bound: Duration
) -> (texts: [[UInt8]], timedOut: Bool) {
  let start = Moment.now
  var texts: [[UInt8]] = descriptors.map { _ in [] }
  var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  var timedOut = false
  var buffer = [UInt8](repeating: 0, count: 16_384)
  while polled.contains(where: { $0.fd >= 0 }) {
    if start.elapsed > bound && !timedOut {
      timedOut = true
      kill(child, SIGKILL)
    }
    // A grandchild may hold the pipes: the child's death alone need not end them.
    if start.elapsed > bound + .seconds(2) { break }
    guard poll(&polled, nfds_t(polled.count), 100) > 0 else { continue }
    for index in polled.indices where polled[index].fd >= 0 && polled[index].revents != 0 {
      let length = read(polled[index].fd, &buffer, buffer.count)
      if length > 0 {
        texts[index] += buffer.prefix(length)
      } else if length == 0 || errno != EINTR {
        polled[index].fd = -1
      }
    }
  }
  for descriptor in descriptors { close(descriptor) }
  return (texts, timedOut)
}
