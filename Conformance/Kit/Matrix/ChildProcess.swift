import Glibc

/// How far a child process has come.
enum ProcessStage: Sendable {
  case runs, ended, waitedFor
}

extension Stage {
  /// A descriptor of a child process that has come as far as wanted; the child is gone when the stage goes.
  func process(until wanted: ProcessStage) throws -> Descriptor {
    // It copies what it reads from a pipe of ours, so it ends when we close that, and not before.
    let input = try pipe()
    let child = try spawnCopier(reading: input.near)
    var isWaitedFor = false
    let wait = {
      var status: CInt = 0
      while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    }
    let descriptor: Descriptor
    do {
      descriptor = try keep(MissingCalls.openProcess(child), "descriptor of a process")
    } catch {
      input.far.close()
      wait()
      throw error
    }
    if wanted != .runs {
      input.far.close()
      // Waits for the end and leaves the child to be waited for.
      var information = siginfo_t()
      while waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
    }
    if wanted == .waitedFor {
      wait()
      isWaitedFor = true
    }
    // Descriptors are closed before: that ends a child that still reads.
    if !isWaitedFor { atEnd(wait) }
    return descriptor
  }

  private func spawnCopier(reading input: Descriptor) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input.number, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    // The pipe is non-blocking for its users' sake; a reader that is no user of it has to wait.
    _ = fcntl(input.number, F_SETFL, fcntl(input.number, F_GETFL) & ~O_NONBLOCK)
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("cat"), nil]
    defer { free(arguments[0]) }
    var child = pid_t()
    let code = posix_spawnp(&child, "cat", &actions, nil, &arguments, environ)
    guard code == 0 else { throw CheckFailure("the system gave the kit no child process: errno \(code)") }
    return child
  }
}
