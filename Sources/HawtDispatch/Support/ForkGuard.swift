internal import Glibc

/// Tells a forked child from its parent by one load (rule S9): a page that the kernel wipes on fork.
///
/// Sound as `Sendable`: the word is written before anybody else knows it, and afterwards by the kernel alone.
struct ForkGuard: ~Copyable, @unchecked Sendable {
  private let page: UnsafeMutableRawPointer
  private let size: Int

  init() throws(DispatcherError) {
    size = sysconf(Int32(_SC_PAGESIZE))
    let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { throw .systemRefused(what: "a page of memory", errno: errno) }
    // MADV_WIPEONFORK, which the Glibc module lacks.
    guard madvise(mapped, size, 18) == 0 else {
      let code = errno
      munmap(mapped, size)
      throw .systemRefused(what: "a page that is wiped on fork (Linux 4.14 or later)", errno: code)
    }
    page = mapped
    page.storeBytes(of: 1, as: UInt64.self)
  }

  /// Zero in a forked child of the process that made the guard; valid as long as the guard.
  var word: UnsafePointer<UInt64> { UnsafePointer(page.assumingMemoryBound(to: UInt64.self)) }

  /// Whether this process is a forked child of the one that made the guard.
  @inline(__always)
  var isForked: Bool { page.load(as: UInt64.self) == 0 }

  deinit { munmap(page, size) }
}
