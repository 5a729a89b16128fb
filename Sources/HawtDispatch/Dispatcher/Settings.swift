internal import CLinux
internal import Glibc

/// A configuration that has been checked and completed from the environment.
struct Settings: Sendable {
  let name: String
  let workers: Int
  let backend: Backend
  let bindsWorkersToCPUs: Bool
  let queueBudget: Nanoseconds
  let tasksBetweenClockChecks: Int
  let idleSpin: Nanoseconds
  let errorHandler: @Sendable (TaskFailure) -> Void
  let onWorkerStart: (@Sendable (Int) -> Void)?
  let onWorkerStop: (@Sendable (Int) -> Void)?

  init(_ configuration: Configuration) throws(DispatcherError) {
    name = configuration.name
    let asked = try Settings.number("HAWTDISPATCH_WORKERS")
    let wanted = configuration.workers ?? asked ?? CPUQuota().usableCPUs
    guard (1...1024).contains(wanted) else { throw .invalidWorkerCount(wanted) }
    workers = wanted
    let named = try Settings.backendFromEnvironment()
    backend = configuration.backend ?? named ?? .default
    bindsWorkersToCPUs = configuration.bindsWorkersToCPUs
    guard configuration.queueBudget > .zero else {
      throw .invalidConfiguration("queueBudget is \(configuration.queueBudget); it must be more than zero")
    }
    queueBudget = configuration.queueBudget.clampedNanoseconds
    guard (1...1_000_000).contains(configuration.tasksBetweenClockChecks) else {
      throw .invalidConfiguration(
        "tasksBetweenClockChecks is \(configuration.tasksBetweenClockChecks); it must be from 1 to 1,000,000")
    }
    tasksBetweenClockChecks = configuration.tasksBetweenClockChecks
    let askedSpin = try Settings.number("HAWTDISPATCH_IDLE_SPIN_US")
    let spin: Duration? = configuration.idleSpin ?? askedSpin.map { .microseconds($0) }
    guard spin.map({ $0 >= .zero && $0 <= .seconds(1) }) ?? true else {
      throw .invalidConfiguration("idleSpin is \(spin!); it must be from zero to one second")
    }
    // A worker that spins on the only CPU would keep whoever it waits for from running.
    idleSpin = spin?.clampedNanoseconds ?? (wanted > 1 ? Settings.defaultSpin : 0)
    errorHandler = configuration.errorHandler ?? Settings.printToStandardError
    onWorkerStart = configuration.onWorkerStart
    onWorkerStop = configuration.onWorkerStop
  }

  private static let defaultSpin: Nanoseconds = 0

  private static func number(_ variable: String) throws(DispatcherError) -> Int? {
    guard let text = environment(variable) else { return nil }
    guard let number = Int(text) else {
      throw .invalidConfiguration("the environment has \(variable)='\(text)'; it must be a whole number")
    }
    return number
  }

  private static func backendFromEnvironment() throws(DispatcherError) -> Backend? {
    guard let text = environment("HAWTDISPATCH_BACKEND") else { return nil }
    #if Epoll
      if text == "epoll" { return .epoll }
    #endif
    #if Libevent
      if text == "libevent" { return .libevent }
    #endif
    let built = Backend.builtIn.map { $0.identity.name }.joined(separator: ", ")
    throw .invalidConfiguration("the environment has HAWTDISPATCH_BACKEND='\(text)'; built in are: \(built)")
  }

  private static func environment(_ variable: String) -> String? {
    getenv(variable).map { String(cString: $0) }
  }

  @Sendable
  private static func printToStandardError(_ failure: TaskFailure) {
    let line = "HawtDispatch: \(failure)\n"
    line.utf8.withContiguousStorageIfAvailable { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// How many CPUs this process may use: the affinity mask, cut down to the cgroup's quota (versions 1 and 2).
struct CPUQuota {
  /// Where the control groups are mounted; another folder in tests.
  var root = "/sys/fs/cgroup"

  /// At least 1.
  var usableCPUs: Int {
    let allowed = max(1, Int(hawt_affinity_count()))
    guard let quota else { return min(allowed, 1024) }
    return max(1, min(allowed, Int(quota.rounded(.up)), 1024))
  }

  /// CPUs per period, or nil if there is no limit.
  var quota: Double? {
    if let text = read("\(root)/cpu.max") {
      let parts = text.split(separator: " ")
      guard parts.count == 2, let quota = Double(parts[0]), let period = Double(parts[1]), period > 0 else {
        return nil
      }
      return quota / period
    }
    guard let quota = read("\(root)/cpu/cpu.cfs_quota_us").flatMap({ Double($0) }), quota > 0,
      let period = read("\(root)/cpu/cpu.cfs_period_us").flatMap({ Double($0) }), period > 0
    else { return nil }
    return quota / period
  }

  private func read(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
      let count = Glibc.read(descriptor, buffer.baseAddress!, buffer.count)
      guard count > 0 else { return nil }
      let text = String(decoding: buffer[..<count], as: UTF8.self)
      return text.split(whereSeparator: \.isNewline).first.map(String.init)
    }
  }
}
