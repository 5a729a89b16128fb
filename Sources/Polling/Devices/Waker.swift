internal import CLinux
internal import Glibc

/// Ends a wait from elsewhere: an eventfd that is registered like any descriptor.
///
/// `signal` is legal on every thread at any time (rule `B6`); the caller merges signals, so that an announced sleep is
/// ended by at most one write (rule `Q5`).
struct Waker: ~Copyable {
  private let event: OwnedDescriptor

  init() throws(BackendError) {
    event = try OwnedDescriptor(creating: eventfd(0, hawt_eventfd_flags))
  }

  var descriptor: CInt { event.number }

  /// Makes the descriptor readable. One system call, which cannot block. By number, as the waker itself belongs to the
  /// lease's holder like all devices.
  static func signal(_ descriptor: CInt) {
    var one: UInt64 = 1
    // EAGAIN means that 2^64 - 2 signals stand unread: the descriptor is readable, which is all that was wanted.
    while write(descriptor, &one, MemoryLayout<UInt64>.size) < 0 && errno == EINTR {}
  }

  /// Makes the descriptor unreadable again.
  borrowing func clear() {
    event.drainCounter()
  }
}
