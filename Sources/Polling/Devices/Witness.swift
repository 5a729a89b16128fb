internal import CLinux
internal import Glibc

/// Proves that a number still stands for the open file that was registered under it, where nothing else that the system
/// tells of the file does (see `OpenFileIdentity`).
///
/// It is an epoll set on which nobody waits. The kernel finds an entry by number *and* open file, so that an entry can be
/// changed only as long as the number stands for the file that was noted.
///
/// A file that has lost its number keeps its entry while a duplicate lives. Should it get the number back after another file
/// was noted under it, the entry would speak for the wrong one; so the poller makes the witness anew whenever it finds out
/// that a number was lost, together with the kernel's set.
struct Witness: ~Copyable {
  /// Made at the first need.
  private var entries: OwnedDescriptor?

  init() {}

  /// Notes what a number stands for now. Two system calls at most.
  ///
  /// - Throws: `add` with the system's error, EMFILE or ENOSPC for instance, or EPERM if it cannot be polled.
  mutating func note(_ descriptor: CInt) throws(BackendError) {
    if entries == nil {
      let made = epoll_create1(hawt_epoll_cloexec)
      guard made >= 0 else { throw BackendError(.add, descriptor: descriptor, code: errno) }
      entries = try OwnedDescriptor(creating: made)
    }
    // EEXIST: noted before, and not forgotten.
    guard control(EPOLL_CTL_ADD, descriptor) || errno == EEXIST else {
      throw BackendError(.add, descriptor: descriptor, code: errno)
    }
  }

  /// Whether a number stands for the file that was noted under it. One system call.
  borrowing func knows(_ descriptor: CInt) -> Bool { control(EPOLL_CTL_MOD, descriptor) }

  /// Forgets what a number stands for now. One system call.
  borrowing func forget(_ descriptor: CInt) { _ = control(EPOLL_CTL_DEL, descriptor) }

  private borrowing func control(_ operation: CInt, _ descriptor: CInt) -> Bool {
    var nothing = epoll_event()
    switch entries {
    case .some(let entries): return epoll_ctl(entries.number, operation, descriptor, &nothing) == 0
    case nil: return false
    }
  }
}
