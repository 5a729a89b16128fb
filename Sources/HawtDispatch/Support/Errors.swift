/// Why a dispatcher refused what was asked of it. Nothing changed when one of these is thrown.
public enum DispatcherError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A worker count outside 1 … 1,024.
  case invalidWorkerCount(Int)
  /// A budget, limit or duration in the configuration that is out of its range; the text says which and why.
  case invalidConfiguration(String)
  /// The system refused what a worker needs (a thread, a poller's descriptors); all is rolled back.
  case systemRefused(what: String, errno: CInt)
  /// The backend could not be made; all is rolled back.
  case backend(BackendError)
  /// The retarget would make a queue its own target (rule Q8).
  case targetCycle(queue: String, target: String)
  /// The chain of targets would be deeper than `Configuration.maximumTargetDepth` allows (rule Q8).
  case targetTooDeep(queue: String, target: String, limit: Int)
  /// The target belongs to another dispatcher (rule M8).
  case foreignDispatcher(queue: String, target: String)
  /// The dispatcher is shutting down or stopped (rules M8, L3).
  case stopped(dispatcher: String)
  /// The dispatcher is running already: `restart()` needs one that has stopped.
  case running(dispatcher: String)
  /// `sync` was refused, for the reason given; its closure did not run and never will.
  case refused(queue: String, Refusal)
  /// The item was accepted and then discarded because a shutdown's deadline passed (rule L3).
  case discarded(queue: String)

  /// What was asked, what happened, and what to do.
  public var description: String {
    switch self {
    case .invalidWorkerCount(let count):
      "asked for \(count) workers; a dispatcher has 1 to 1,024: choose a count in that range, or nil for one per usable CPU"
    case .invalidConfiguration(let text):
      text
    case .systemRefused(let what, let code):
      "the system refused \(what): \(errorText(code)); nothing was left behind, free some and try again"
    case .backend(let error):
      "the poller could not be made: \(error)"
    case .targetCycle(let queue, let target):
      "queue '\(queue)' cannot target '\(target)', which already leads to it: choose a target outside its own tree"
    case .targetTooDeep(let queue, let target, let limit):
      "queue '\(queue)' cannot target '\(target)': the chain of targets would be deeper than \(limit) (maximumTargetDepth): "
        + "choose a target nearer to its root"
    case .foreignDispatcher(let queue, let target):
      "queue '\(queue)' cannot target '\(target)', which belongs to another dispatcher: choose one of its own"
    case .stopped(let name):
      "dispatcher '\(name)' is shutting down or stopped: restart() it first"
    case .running(let name):
      "dispatcher '\(name)' is running: shut it down before restart()"
    case .refused(let queue, let refusal):
      "queue '\(queue)' refused the task: \(refusal)"
    case .discarded(let queue):
      "queue '\(queue)' discarded the task: the deadline of a shutdown passed before it ran"
    }
  }
}

/// Why a source could not do what was asked. A source that meets one after `activate()` is cancelled (rule S6).
public enum SourceError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The system refused the registration: not pollable, bad descriptor, a limit.
  case registration(BackendError)
  /// The interest is empty: a source must ask for reading, writing or both.
  case emptyInterest(descriptor: CInt)
  /// The source is cancelled already.
  case cancelled(source: String)
  /// The dispatcher is shutting down or stopped.
  case stopped(dispatcher: String)
  /// The signal number is unknown, or one that no process may handle.
  case invalidSignal(CInt)

  /// What was asked, what happened, and what to do.
  public var description: String {
    switch self {
    case .registration(let error): "the source could not be registered and is cancelled: \(error)"
    case .emptyInterest(let descriptor):
      "a source on descriptor \(descriptor) asked for nothing: ask for .read, .write or both"
    case .cancelled(let source): "source '\(source)' is cancelled: make a new one"
    case .stopped(let name): "dispatcher '\(name)' is shutting down or stopped: restart() it first"
    case .invalidSignal(let number): "signal \(number) cannot be handled by a process: choose another"
    }
  }
}

/// Why a submission was not accepted.
public enum Refusal: Sendable, Hashable, CustomStringConvertible {
  /// The dispatcher is shutting down or stopped (rule L3).
  case shutDown
  /// The queue is bounded and at its limit (rule Q11).
  case queueFull(limit: Int)
  /// The source was cancelled before (rule C4).
  case cancelled

  /// What was asked, what happened, and what to do.
  public var description: String {
    switch self {
    case .shutDown: "the dispatcher is shutting down or stopped"
    case .queueFull(let limit): "the queue holds its limit of \(limit) tasks; wait for its low-water call"
    case .cancelled: "the source is cancelled"
    }
  }
}

/// What became of a submission: accepted tasks run exactly once, refused ones never (rule L3).
public enum Submission: Sendable, Hashable {
  case accepted
  case refused(Refusal)

  /// Whether the submission was accepted.
  public var isAccepted: Bool { self == .accepted }
}

/// Ends the process with `message` unless the condition holds. For programmer errors, instead of `precondition`: an
/// optimized build leaves that one's message out, and nobody would learn which object was meant.
package func trap(unless condition: Bool, _ message: @autoclosure () -> String) {
  if !condition { fatalError(message()) }
}
