import Glibc

/// Calls of the C library that Swift's module of it leaves out; ENOSYS where the library is too old to have them.
enum MissingCalls {
  /// `pidfd_open`: a descriptor of a child process.
  static func openProcess(_ child: pid_t) -> CInt {
    typealias Call = @convention(c) (pid_t, CUnsignedInt) -> CInt
    guard let symbol = dlsym(nil, "pidfd_open") else { return unavailable() }
    // Sound: the symbol is the C library's function of this type.
    return unsafeBitCast(symbol, to: Call.self)(child, 0)
  }

  /// `memfd_create`: a regular file that lies in no file system, close-on-exec.
  static func createMemoryFile(_ name: String) -> CInt {
    typealias Call = @convention(c) (UnsafePointer<CChar>, CUnsignedInt) -> CInt
    guard let symbol = dlsym(nil, "memfd_create") else { return unavailable() }
    let closeOnExec: CUnsignedInt = 1
    // Sound: the symbol is the C library's function of this type, which copies the name.
    return name.withCString { unsafeBitCast(symbol, to: Call.self)($0, closeOnExec) }
  }

  /// `pipe2`: both ends close-on-exec from the start.
  static func openPipe(_ ends: inout [CInt]) -> CInt {
    typealias Call = @convention(c) (UnsafeMutablePointer<CInt>, CInt) -> CInt
    guard let symbol = dlsym(nil, "pipe2") else { return unavailable() }
    // Sound: the symbol is the C library's function of this type, and the array has room for two.
    return ends.withUnsafeMutableBufferPointer {
      unsafeBitCast(symbol, to: Call.self)($0.baseAddress!, O_CLOEXEC)
    }
  }

  private static func unavailable() -> CInt {
    errno = ENOSYS
    return -1
  }
}
