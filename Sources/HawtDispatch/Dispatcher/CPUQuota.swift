internal import CLinux
internal import Glibc

/// How many CPUs this process may use: the affinity mask, cut down to the quota of its control group and of
/// those around it (versions 1 and 2).
struct CPUQuota {
  /// Where the control groups are mounted; another folder in tests.
  var root = "/sys/fs/cgroup"
  /// What tells which groups the process is in; another file in tests.
  var membership = "/proc/self/cgroup"

  /// At least 1.
  var usableCPUs: Int {
    // The main thread's mask: the calling one may be bound to less, as the workers of a dispatcher are that binds them.
    let allowed = max(1, Int(hawt_affinity_count(getpid())))
    guard let quota else { return min(allowed, 1024) }
    return max(1, min(allowed, Int(quota.rounded(.up)), 1024))
  }

  /// CPUs per period, or nil if there is no limit: the least of all groups that the process is in.
  var quota: Double? {
    let (unified, cpu) = groups
    let limits =
      withAncestors(unified).map { unifiedQuota("\(root)\($0)") }
      + withAncestors(cpu).map { quota("\(root)/cpu\($0)") }
    return limits.compactMap { $0 }.min()
  }

  /// The paths of the process's group in version 2, and of the one that has version 1's `cpu` controller. In a container
  /// with a view of its own, and where nothing tells, the root.
  private var groups: (unified: String, cpu: String) {
    var result = (unified: "", cpu: "")
    for line in lines(membership) {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[2].hasPrefix("/"), parts[2] != "/" else { continue }
      if parts[1].isEmpty { result.unified = String(parts[2]) }
      if parts[1].split(separator: ",").contains("cpu") { result.cpu = String(parts[2]) }
    }
    return result
  }

  /// `/a/b`, `/a`, and nothing for the root.
  private func withAncestors(_ path: String) -> [String] {
    let names = path.split(separator: "/")
    return (0...names.count).map { names[..<$0].map { "/\($0)" }.joined() }
  }

  private func unifiedQuota(_ folder: String) -> Double? {
    let parts = lines("\(folder)/cpu.max").first?.split(separator: " ") ?? []
    guard parts.count == 2, let quota = Double(parts[0]), let period = Double(parts[1]), period > 0 else { return nil }
    return quota / period
  }

  private func quota(_ folder: String) -> Double? {
    guard let quota = lines("\(folder)/cpu.cfs_quota_us").first.flatMap(Double.init), quota > 0,
      let period = lines("\(folder)/cpu.cfs_period_us").first.flatMap(Double.init), period > 0
    else { return nil }
    return quota / period
  }

  private func lines(_ path: String) -> [String] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
      guard count > 0 else { return [] }
      return String(decoding: buffer[..<count], as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
    }
  }
}
