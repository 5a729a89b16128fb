/// How a dispatcher is made. Each value has a default, so that `.init()` is a good one.
///
/// The environment overrides what is left at its default: `HAWTDISPATCH_WORKERS` (a count), `HAWTDISPATCH_BACKEND`
/// (`epoll` or `libevent`), `HAWTDISPATCH_IDLE_SPIN_US` (microseconds).
public struct Configuration: Sendable {
  /// Names the dispatcher in thread names and errors; any text.
  public var name: String
  /// How many workers, 1 to 1,024; nil: as many as the CPUs that this process may use, by affinity and cgroup quota.
  public var workers: Int?
  /// Which poller each worker has; nil: `.default`, as chosen at build time.
  public var backend: Backend?
  /// Whether worker i is bound to the i-th CPU of the process's affinity mask.
  public var bindsWorkersToCPUs: Bool
  /// How long a worker stays with one queue before it looks after others (rule Q4).
  public var queueBudget: Duration
  /// How many tasks a worker runs at most before it looks at the clock (rule Q4).
  public var tasksBetweenClockChecks: Int
  /// How often a worker with work at hand looks at its poller (rule Q4); more than zero. Less time between looks serves IO
  /// sooner beside saturated queues, and costs a system call each.
  public var pollInterval: Duration
  /// How long a worker may be in user code before others serve its poller and take its unpinned work (rule Q13); from 100
  /// µs to a minute. An idle worker looks twice as seldom. Below `queueBudget`, ordinary work counts as stuck now and then;
  /// above 2 ms, what waits for a stuck worker may wait for more than the 5 ms of the rule.
  public var stuckAfter: Duration
  /// How many serial queues a chain of targets may have (rule Q8), 1 to 1,024. Each level that is run nested takes some
  /// stack.
  public var maximumTargetDepth: Int
  /// How saturated workers share their time between the priorities (rule Q9).
  public var priorityWeights: PriorityWeights
  /// How long a worker without work looks for some before it sleeps, at most a second; nil: not at all.
  public var idleSpin: Duration?
  /// Told, on the worker, of errors that tasks and handlers throw (rule Q10), and, on a thread of the library's own and
  /// without a queue, of what a shutdown discards; nil: printed to standard error.
  public var errorHandler: (@Sendable (TaskFailure) -> Void)?
  /// Run on each worker's thread before its first round.
  public var onWorkerStart: (@Sendable (_ worker: Int) -> Void)?
  /// Run on each worker's thread after its last round.
  public var onWorkerStop: (@Sendable (_ worker: Int) -> Void)?

  /// Every value may be left out; they are checked when a dispatcher is made.
  public init(
    name: String = "hawt", workers: Int? = nil, backend: Backend? = nil, bindsWorkersToCPUs: Bool = false,
    queueBudget: Duration = .microseconds(250), tasksBetweenClockChecks: Int = 16,
    pollInterval: Duration = .milliseconds(1), stuckAfter: Duration = .milliseconds(1), maximumTargetDepth: Int = 64,
    priorityWeights: PriorityWeights = PriorityWeights(), idleSpin: Duration? = nil,
    errorHandler: (@Sendable (TaskFailure) -> Void)? = nil,
    onWorkerStart: (@Sendable (_ worker: Int) -> Void)? = nil,
    onWorkerStop: (@Sendable (_ worker: Int) -> Void)? = nil
  ) {
    self.name = name
    self.workers = workers
    self.backend = backend
    self.bindsWorkersToCPUs = bindsWorkersToCPUs
    self.queueBudget = queueBudget
    self.tasksBetweenClockChecks = tasksBetweenClockChecks
    self.pollInterval = pollInterval
    self.stuckAfter = stuckAfter
    self.maximumTargetDepth = maximumTargetDepth
    self.priorityWeights = priorityWeights
    self.idleSpin = idleSpin
    self.errorHandler = errorHandler
    self.onWorkerStart = onWorkerStart
    self.onWorkerStop = onWorkerStop
  }
}

/// What each priority gets of workers that are saturated, in relation to the others (rule Q9).
public struct PriorityWeights: Sendable, Hashable {
  /// Of `Priority.high`; 1 to 1,000, like the others.
  public var high: Int
  /// Of `Priority.default`.
  public var `default`: Int
  /// Of `Priority.low`.
  public var low: Int

  /// Each may be left out. They are checked when a dispatcher is made.
  public init(high: Int = 8, `default`: Int = 4, low: Int = 1) {
    self.high = high
    self.default = `default`
    self.low = low
  }
}

/// An error that user code threw, and where (rule Q10).
public struct TaskFailure: Sendable, CustomStringConvertible {
  /// What threw.
  public enum Kind: Sendable, Hashable {
    case task, timer, eventHandler, cancelHandler, sourceError
    /// Tasks or timers that a shutdown dropped (rule L3).
    case discarded
  }
  /// The error, as thrown.
  public let error: any Error
  /// The label of the queue that ran it.
  public let queueLabel: String
  /// What threw it.
  public let kind: Kind

  /// What threw where, and the error, in a line.
  public var description: String { "\(kind) on queue '\(queueLabel)' failed: \(error)" }
}
