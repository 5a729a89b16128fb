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
  /// How long a worker without work looks for some before it sleeps, at most a second; nil: not at all.
  public var idleSpin: Duration?
  /// Told, on the worker, of errors that tasks and handlers throw (rule Q10); nil: printed to standard error.
  public var errorHandler: (@Sendable (TaskFailure) -> Void)?
  /// Run on each worker's thread before its first round.
  public var onWorkerStart: (@Sendable (_ worker: Int) -> Void)?
  /// Run on each worker's thread after its last round.
  public var onWorkerStop: (@Sendable (_ worker: Int) -> Void)?

  /// Every value may be left out; they are checked when a dispatcher is made.
  public init(
    name: String = "hawt", workers: Int? = nil, backend: Backend? = nil, bindsWorkersToCPUs: Bool = false,
    queueBudget: Duration = .microseconds(250), tasksBetweenClockChecks: Int = 16, idleSpin: Duration? = nil,
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
    self.idleSpin = idleSpin
    self.errorHandler = errorHandler
    self.onWorkerStart = onWorkerStart
    self.onWorkerStop = onWorkerStop
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
