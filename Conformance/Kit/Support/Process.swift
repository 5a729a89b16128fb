import Glibc

/// What can be seen of the running process from inside.
enum Process {
  static let isThreadSanitized = dlsym(nil, "__tsan_init") != nil
  static let isAddressSanitized = dlsym(nil, "__asan_init") != nil

  /// The first of 250 numbers that nobody opens meanwhile, as descriptors are given from the lowest number on.
  static var highDescriptor: CInt {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return CInt(min(limit.rlim_cur, 100_000)) - 300
  }

  /// The open descriptors and what each refers to.
  static var descriptors: [String] {
    entries(of: "/proc/self/fd").compactMap { number in
      guard let target = link("/proc/self/fd/\(number)") else { return nil }
      // The descriptor through which the directory itself is being listed is gone by now, or is ours.
      return target.hasPrefix("/proc/") ? nil : "\(number) → \(target)"
    }
  }

  /// The names of all threads.
  static var threadNames: [String] {
    entries(of: "/proc/self/task").compactMap { text(of: "/proc/self/task/\($0)/comm", limit: 64) }
      .map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }
  }

  static var threadCount: Int { entries(of: "/proc/self/task").count }

  /// Tells the calling thread from every other that is alive.
  static var currentThread: UInt { UInt(pthread_self()) }

  /// The words of the command line.
  static var arguments: [String] {
    (text(of: "/proc/self/cmdline", limit: 65_536) ?? "").split(separator: "\0").map(String.init)
  }

  static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  static func link(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    let length = buffer.withUnsafeMutableBytes {
      readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
    }
    return length < 0 ? nil : String(decoding: buffer.prefix(length), as: UTF8.self)
  }

  static func entries(of path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  static func text(of path: String, limit: Int) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: limit)
    var length = 0
    // The kernel may hand out such files piece by piece.
    while length < limit {
      let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + length, limit - length) }
      if count <= 0 { break }
      length += count
    }
    return String(decoding: bytes.prefix(length), as: UTF8.self)
  }
}
