internal import Glibc

/// A descriptor that is closed when its owner goes.
struct OwnedDescriptor: ~Copyable {
  let number: CInt

  /// Takes over what a system call returned; a negative value is that call's error.
  init(creating number: CInt) throws(BackendError) {
    guard number >= 0 else { throw BackendError(.create, code: errno) }
    self.number = number
  }

  deinit {
    close(number)
  }

  /// Reads the 8 bytes that reset an eventfd or a timerfd; nothing to read is no error.
  borrowing func drainCounter() {
    var value: UInt64 = 0
    while read(number, &value, MemoryLayout<UInt64>.size) < 0 && errno == EINTR {}
  }
}
