import Glibc

/// A non-blocking pipe whose bytes are counted, not looked at.
final class Pipe: Sendable {
  let readEnd: CInt
  let writeEnd: CInt

  init() throws {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { throw CheckFailure("no pipe: errno \(errno)") }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  /// Writes `count` bytes as far as there is room; returns how many it took.
  @discardableResult
  func write(_ count: Int = 1) -> Int {
    let bytes = [UInt8](repeating: 7, count: count)
    return max(0, Glibc.write(writeEnd, bytes, count))
  }

  /// Reads until the pipe is empty; returns how many bytes there were.
  func drain() -> Int {
    var total = 0
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = read(readEnd, &buffer, buffer.count)
      if count > 0 { total += count } else if count == 0 || errno != EINTR { return total }
    }
  }

  func close() {
    _ = Glibc.close(readEnd)
    _ = Glibc.close(writeEnd)
  }
}

extension CheckContext {
  /// A pipe that is closed when the check has ended, after its dispatchers.
  func makePipe() throws -> Pipe {
    let pipe = try Pipe()
    atEnd(.descriptors) { pipe.close() }
    return pipe
  }
}
