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
  let pollInterval: Nanoseconds
  let stuckAfter: Nanoseconds
  let maximumTargetDepth: Int
  let priorityWeights: PriorityWeights
  let idleSpin: Nanoseconds
  let errorHandler: @Sendable (TaskFailure) -> Void
  let onWorkerStart: (@Sendable (Int) -> Void)?
  let onWorkerStop: (@Sendable (Int) -> Void)?

  /// - Parameter environment: the process's, or another one in tests.
  init(
    _ configuration: Configuration, environment: (String) -> String? = Settings.environment
  ) throws(DispatcherError) {
    name = configuration.name
    // The environment is asked only for what the configuration leaves open: elsewhere it may hold anything.
    let asked = configuration.workers == nil ? try Settings.number("HAWTDISPATCH_WORKERS", environment) : nil
    let wanted = configuration.workers ?? asked ?? CPUQuota().usableCPUs
    guard (1...1024).contains(wanted) else { throw .invalidWorkerCount(wanted) }
    workers = wanted
    let named = configuration.backend == nil ? try Settings.backend(environment) : nil
    backend = configuration.backend ?? named ?? .default
    bindsWorkersToCPUs = configuration.bindsWorkersToCPUs
    queueBudget = try Settings.positive(configuration.queueBudget, "queueBudget")
    tasksBetweenClockChecks = try Settings.count(
      configuration.tasksBetweenClockChecks, "tasksBetweenClockChecks", atMost: 1_000_000)
    pollInterval = try Settings.positive(configuration.pollInterval, "pollInterval")
    guard configuration.stuckAfter >= .microseconds(100), configuration.stuckAfter <= .seconds(60) else {
      throw .invalidConfiguration("stuckAfter is \(configuration.stuckAfter); it must be from 100 µs to 60 s")
    }
    stuckAfter = configuration.stuckAfter.clampedNanoseconds
    maximumTargetDepth = try Settings.count(configuration.maximumTargetDepth, "maximumTargetDepth", atMost: 1024)
    let weights = configuration.priorityWeights
    priorityWeights = PriorityWeights(
      high: try Settings.count(weights.high, "priorityWeights.high", atMost: 1000),
      default: try Settings.count(weights.default, "priorityWeights.default", atMost: 1000),
      low: try Settings.count(weights.low, "priorityWeights.low", atMost: 1000))
    let askedSpin = configuration.idleSpin == nil ? try Settings.number("HAWTDISPATCH_IDLE_SPIN_US", environment) : nil
    let spin: Duration? = configuration.idleSpin ?? askedSpin.map { .microseconds($0) }
    guard spin.map({ $0 >= .zero && $0 <= .seconds(1) }) ?? true else {
      throw .invalidConfiguration("idleSpin is \(spin!); it must be from zero to one second")
    }
    idleSpin = spin?.clampedNanoseconds ?? 0
    errorHandler = configuration.errorHandler ?? Settings.printToStandardError
    onWorkerStart = configuration.onWorkerStart
    onWorkerStop = configuration.onWorkerStop
  }

  private static func positive(_ duration: Duration, _ name: String) throws(DispatcherError) -> Nanoseconds {
    guard duration > .zero else { throw .invalidConfiguration("\(name) is \(duration); it must be more than zero") }
    return duration.clampedNanoseconds
  }

  private static func count(_ value: Int, _ name: String, atMost limit: Int) throws(DispatcherError) -> Int {
    guard (1...limit).contains(value) else {
      throw .invalidConfiguration("\(name) is \(value); it must be from 1 to \(limit)")
    }
    return value
  }

  private static func number(
    _ variable: String, _ environment: (String) -> String?
  ) throws(DispatcherError) -> Int? {
    guard let text = environment(variable) else { return nil }
    guard let number = Int(text) else {
      throw .invalidConfiguration("the environment has \(variable)='\(text)'; it must be a whole number")
    }
    return number
  }

  private static func backend(_ environment: (String) -> String?) throws(DispatcherError) -> Backend? {
    guard let text = environment("HAWTDISPATCH_BACKEND") else { return nil }
    var named: [String: Backend] = [:]
    #if Epoll
      named["epoll"] = .epoll
    #endif
    #if Libevent
      named["libevent"] = .libevent
    #endif
    if let backend = named[text] { return backend }
    let known = named.keys.sorted().joined(separator: ", ")
    throw .invalidConfiguration("the environment has HAWTDISPATCH_BACKEND='\(text)'; built in are: \(known)")
  }

  static func environment(_ variable: String) -> String? {
    getenv(variable).map { String(cString: $0) }
  }

  @Sendable
  private static func printToStandardError(_ failure: TaskFailure) {
    let line = "HawtDispatch: \(failure)\n"
    line.utf8.withContiguousStorageIfAvailable { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
