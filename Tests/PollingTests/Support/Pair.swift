import Glibc
import Synchronization

/// Two connected descriptors under numbers that nobody else in this process uses: tests run in parallel, and one that
/// closes a number must not find it taken by another.
struct Pair: ~Copyable {
  let near: CInt
  let far: CInt

  static func socket() -> Pair {
    var both: [CInt] = [-1, -1]
    let kind =
      CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    precondition(socketpair(AF_UNIX, kind, 0, &both) == 0)
    return Pair(near: Numbers.move(both[0]), far: Numbers.move(both[1]))
  }

  /// `near` reads, `far` writes.
  static func pipe() -> Pair {
    var both: [CInt] = [-1, -1]
    precondition(Glibc.pipe(&both) == 0)
    for item in both { _ = fcntl(item, F_SETFL, O_NONBLOCK) }
    return Pair(near: Numbers.move(both[0]), far: Numbers.move(both[1]))
  }

  func feed() {
    var byte: UInt8 = 7
    precondition(write(far, &byte, 1) == 1)
  }

  @discardableResult
  func drain() -> Int {
    var bytes = [UInt8](repeating: 0, count: 4096)
    return read(near, &bytes, bytes.count)
  }

  /// Makes `far` unwritable, or `near` on a socket.
  static func fill(_ descriptor: CInt) {
    let bytes = [UInt8](repeating: 0, count: 65536)
    while write(descriptor, bytes, bytes.count) > 0 {}
  }

  deinit {
    close(near)
    close(far)
  }
}

/// Numbers above all that the system would choose by itself, each given out once.
enum Numbers {
  private static let next = Atomic<CInt>(3000)

  static func reserve() -> CInt {
    next.wrappingAdd(1, ordering: .relaxed).oldValue
  }

  static func move(_ descriptor: CInt) -> CInt {
    let moved = copy(descriptor)
    close(descriptor)
    return moved
  }

  static func copy(_ descriptor: CInt) -> CInt {
    let number = reserve()
    precondition(dup2(descriptor, number) == number)
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    return number
  }
}
