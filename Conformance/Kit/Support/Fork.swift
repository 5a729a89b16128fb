import Glibc

/// How a forked child ended, and what it said on standard error.
struct ForkOutcome: Sendable {
  let exitCode: CInt?
  let signal: CInt?
  let said: String

  var description: String {
    let how = signal.map { "signal \($0)" } ?? "exit code \(exitCode ?? -1)"
    return "\(how); \(said.suffix(400))"
  }
}

/// Runs `body` in a forked child and waits for its end. Only for scenarios: a fork is a process-wide matter.
///
/// The child is killed by its own alarm if it hangs, in a lock that another thread held while it was forked, say.
func forked(_ body: () throws -> Void) throws -> ForkOutcome {
  if let outcome = try forkHere() { return outcome }
  do {
    try body()
  } catch {
    printError("threw: \(error)")
    _exit(1)
  }
  _exit(0)
}

/// Forks and waits for the child; in the child, which lives for 30 seconds at most, returns nil.
func forkHere() throws -> ForkOutcome? {
  var ends: [CInt] = [-1, -1]
  guard pipe(&ends) == 0 else { throw CheckFailure("no pipe for a forked child: errno \(errno)") }
  // Swift hides fork, with good reason: only what follows it at once in the child is legal, and that is what is checked.
  typealias Fork = @convention(c) () -> pid_t
  guard let symbol = dlsym(nil, "fork") else { throw CheckFailure("the C library has no fork") }
  fflush(nil)
  let child = unsafeBitCast(symbol, to: Fork.self)()
  guard child >= 0 else { throw CheckFailure("the system refused a fork: errno \(errno)") }
  if child == 0 {
    alarm(30)
    dup2(ends[1], 2)
    return nil
  }
  close(ends[1])
  var text: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4_096)
  while true {
    let length = read(ends[0], &buffer, buffer.count)
    if length > 0 { text += buffer.prefix(length) } else if length == 0 || errno != EINTR { break }
  }
  close(ends[0])
  var status: CInt = 0
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  let signal = status & 0x7f
  return ForkOutcome(
    exitCode: signal == 0 ? (status >> 8) & 0xff : nil, signal: signal == 0 ? nil : signal,
    said: String(decoding: text, as: UTF8.self))
}

/// The thread sanitizer ends a child that was forked from several threads when it makes a thread of its own, and the
/// leak checker takes what the parent's other threads held for lost.
let forkEnvironment = [
  "TSAN_OPTIONS": options("TSAN_OPTIONS", with: "die_after_fork=0"),
  "ASAN_OPTIONS": options("ASAN_OPTIONS", with: "detect_leaks=0"),
]

private func options(_ variable: String, with one: String) -> String {
  (Process.environment(variable).map { $0 + ":" } ?? "") + one
}
