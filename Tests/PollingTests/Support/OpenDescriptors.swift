import Glibc

/// The descriptors of this process. Only meaningful where no other test runs: in the child of an exit test.
enum OpenDescriptors {
  static var all: Set<CInt> {
    let directory = opendir("/proc/self/fd")!
    defer { closedir(directory) }
    let own = dirfd(directory)
    var numbers = Set<CInt>()
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if let number = CInt(name), number != own { numbers.insert(number) }
    }
    return numbers
  }

  static var count: Int { all.count }

  /// What the testing library may open meanwhile, on threads of its own. A leak is made to exceed it by repetition.
  static let noise = 4

  /// Those that a program started by this process would inherit.
  static var surviving: Set<CInt> { all.filter { fcntl($0, F_GETFD) & FD_CLOEXEC == 0 } }

  /// Runs with room for so many descriptors and no more: free numbers below the limit are taken meanwhile.
  static func limited(toMore room: Int, _ body: () throws -> Void) throws {
    let highest = all.max()!
    var fillers: [CInt] = []
    repeat { fillers.append(dup(STDERR_FILENO)) } while fillers.last! < highest
    close(fillers.removeLast())
    var limit = rlimit()
    getrlimit(resource, &limit)
    var original = limit
    limit.rlim_cur = rlim_t(highest) + 1 + rlim_t(room)
    setrlimit(resource, &limit)
    defer {
      setrlimit(resource, &original)
      for filler in fillers { close(filler) }
    }
    try body()
  }

  private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }
}
