/// What the kernel says about this process's pollers, which no counter of the library can embellish.
enum PollerInspection {
  /// The process's epoll descriptors, the sets behind every built-in backend.
  static var pollers: [String] {
    Process.entries(of: "/proc/self/fd").filter {
      Process.link("/proc/self/fd/\($0)") == "anon_inode:[eventpoll]"
    }
  }

  /// Whether `descriptor` is in the kernel's set of this poller.
  static func contains(_ poller: String, _ descriptor: CInt) -> Bool {
    // Each line about a member begins "tfd:       17 events: ...".
    guard let text = Process.text(of: "/proc/self/fdinfo/\(poller)", limit: 1 << 16) else { return false }
    return text.split(separator: "\n").contains { line in
      let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
      return words.count >= 2 && words[0] == "tfd:" && CInt(words[1]) == descriptor
    }
  }

  /// Those in whose sets `descriptor` is.
  static func pollers(containing descriptor: CInt) -> [String] { pollers.filter { contains($0, descriptor) } }
}
