/// The promises of the library as a machine that reads a log, one event after the other, and rejects the first that it
/// does not allow. One thread, no clock, no descriptor: it knows names only.
///
/// What it keeps:
///
///     tasks        offered ─▶ accepted ─▶ started ─▶ ended      (or refused, cancelled, discarded: never started)
///     queues       target, holds
///     sources      target, holds, active, cancelled, handler running, cancel handler started and ended
///     connections  bytes sent and taken, ended or not
///     elements     of a merging source: accepted, delivered
///     dispatcher   running ─▶ closing ─▶ stopped ─▶ running
///     workers      what each one runs now
///
/// What it allows:
///
/// | event            | allowed if |
/// | a task starts    | it was submitted and not started, refused, cancelled or discarded; nothing that precedes it in its queue still waits |
/// | a handler starts | its source is active, not held, not cancelled, not running, and there is something to deliver |
/// | a cancel handler | its source was cancelled, its handler does not run, and it is the first |
/// | anything starts  | a path leads from its queue to a root that this worker serves, with nothing held on the way; this worker runs nothing else, and nobody runs a queue of that path |
/// | a call returns   | the outcome is one that some moment between call and return explains |
/// | a completion     | its retarget took effect, or one that did so later overtook it; the last of all is never superseded |
/// | bytes are read   | they were sent, none is missing between, and no fewer came than were certainly there |
/// | elements come    | each was merged and not delivered before, in order, and those that waited at the last rest come together |
/// | a report comes   | discarded and dropped make up for every task that was accepted and never ran; with time enough, timers alone |
/// | rest             | nothing that could start waits: all that is owed was done |
///
/// Several things may go on at once, so it keeps *possible* values. Three sentences are all there is to it:
///
/// 1. From its call to its return, an operation may have had its effect or not.
/// 2. A worker may have taken a task just before a suspend, retarget or cancel returned, and log its start after: if
///    something could have been taken, the change is not *settled* until something has started below what was changed,
///    or until every worker has come to the end of a task. One task at most, as a queue runs one at a time.
/// 3. What can still not be told (which of two overlapping retargets won) is asked at rest.
///
/// In a lockstep history nothing is taken when an operation is called, so each change settles as it returns, and what
/// is allowed is exact.
struct HistoryModel: Sendable {
  enum Phase: Hashable, Sendable { case running, closing, stopped }

  /// How many events were read: the time of the model.
  private(set) var position = 0
  var phases: Set<Phase> = [.running]
  var calls: [Int: Call] = [:]
  var queues: [Queue]
  var tasks: [Int: Task] = [:]
  /// The tasks that were offered and may still start.
  var waiting: Set<Int> = []
  var sources: [Int: Source] = [:]
  var lines: [Int: Line] = [:]
  var completions: [Int: Completion] = [:]
  var closings: [Int: Closing] = [:]
  var running: [HistoryWork: Running] = [:]
  /// Changes that have returned and are not settled.
  var lingering: [Change] = []
  /// Queues on which a task threw of which the error handler was not told yet.
  var failures: [QueueName] = []
  /// The shutdown that is under way.
  var shutdown: Shutdown?

  init() { queues = Array(repeating: Queue(), count: History.serialQueues) }

  /// Reads one event; throws a `Rejection` if it is not allowed.
  mutating func read(_ event: HistoryEvent) throws {
    position += 1
    switch event {
    case .called(let number, let operation, let actor): called(number, operation, actor)
    case .returned(let number, let outcome): try returned(number, outcome)
    case .started(let work, let queue, let worker): try started(work, on: queue, worker)
    case .ended(let work): try ended(work)
    case .read(let source, let limit, let result): try received(source, atMost: limit, result)
    case .took(let source, let elements): try took(source, elements)
    case .completed(let number, let isSuperseded): try completed(number, isSuperseded)
    case .failed(let queue): try failed(queue)
    case .reported(let discarded, let dropped, let stuck, let isInTime):
      try reported(discarded, dropped, stuck, isInTime)
    case .breach(let breach): throw Rejection("\(breach)")
    case .target(let queue, let target): try seen(target, of: queue)
    case .boundary: settleAll()
    case .rest: try rest()
    }
  }

  /// Rejects a whole log, or not.
  static func check(_ events: [HistoryEvent]) -> Rejection? {
    var model = HistoryModel()
    for (index, event) in events.enumerated() {
      do { try model.read(event) } catch {
        return (error as? Rejection).map { Rejection("\($0.reason) (event \(index): \(event.line))") }
      }
    }
    return nil
  }

  func require(_ condition: Bool, _ reason: @autoclosure () -> String) throws {
    if !condition { throw Rejection(reason()) }
  }
}

/// Why the model does not allow an event: the rule that it breaks, and how.
struct Rejection: Error, Hashable, Sendable, CustomStringConvertible {
  let reason: String
  init(_ reason: String) { self.reason = reason }
  var description: String { reason }
}

extension HistoryModel {
  /// A call that has not returned.
  struct Call: Sendable {
    let operation: HistoryOperation
    let by: HistoryActor
    let calledAt: Int
    /// Every phase in which the dispatcher may have been since the call.
    var phases: Set<Phase>
    /// What was certain of the source when it was called.
    var wasActive = false
    var wasCancelled = false
    /// Of a retarget: whether at some moment it may, and whether at every moment it must, have made a cycle.
    var mayCycle = false
    /// Of a fill or drain: whether the connection was drained, or filled, meanwhile.
    var isCrossed = false
    var mustCycle = true
  }

  struct Queue: Sendable {
    var target = Register(QueueName.global)
    var holds = Holds()
  }

  struct Task: Sendable {
    let queue: QueueName
    let delay: Delay?
    let calledAt: Int
    /// When it was accepted.
    var acceptedAt: Int?
    var isRefused = false
    var hasStarted = false
    var willThrow = false
    var isCancelled = false
    /// A shutdown may have dropped it first, of which a later cancel says the same.
    var mayBeDropped = false
    var cancelsInFlight = 0
    /// A cancel said that it was too late: it must start.
    var isCommitted = false
    /// A shutdown gave it up; possibly, if its call had not returned by then.
    var discarded = Certainty.no
    /// A shutdown that ran all that was accepted did not run it: its call, which has not returned, must be refused.
    var mustBeRefused = false
  }

  enum SourceKind: Sendable {
    case reader(Int)
    case writer(Int)
    case refused(Unpollable)
    case merger
  }

  struct Source: Sendable {
    let kind: SourceKind
    var target: Register<QueueName>
    var holds = Holds()
    var isActive = false
    var activating = 0
    /// Of a refused one: an activation met a shutdown, and may have tried nothing.
    var activatedBesideShutdown = false
    var cancelled = Certainty.no
    /// No handler that was taken before the cancel is still to come.
    var cancelSettled = false
    var cancelHandlerStarted = false
    var cancelHandlerEnded = false
    var elements: [Element] = []
    var residueWasTaken = false
    /// Of a writer: its handler may have been about to start when somebody else filled the connection.
    var mayBeLate = false
  }

  struct Element: Sendable {
    let number: Int
    let calledAt: Int
    var acceptedAt: Int?
    var isRefused = false
    var isDelivered = false
    /// It waited at a rest: the next delivery must have it.
    var isOverdue = false
  }

  /// A connection, seen from the near end.
  struct Line: Sendable {
    var sent = 0
    var mayBeSent = 0
    var taken = 0
    /// How many bytes were sent with each write, and all before it: a write of a few comes at once or not.
    var marks: Set<Int> = []
    var ended = Certainty.no
    var isReset = false
    /// Its number belongs to another connection.
    var isReplaced = Certainty.no
    /// Whether there may be room to write, and whether there may be none.
    var mayHaveRoom = true
    var mayBeFull = false
    /// The far end is closed: that shows as readiness in both directions.
    var isHungUp = Certainty.no
    /// It was closed with something in it that nobody had read, which is an error to the near end.
    var mayBreak = false
    var sources: [Int] = []
  }

  struct Closing: Sendable {
    let sources: [Int]
    var returnedAt: Int?
    var hasStarted = false
  }

  /// User code that has started and not ended.
  struct Running: Sendable {
    let queue: QueueName
    let worker: Int
    /// The queues that it runs for sure.
    let path: Set<QueueName>
    /// Of a reader: how many bytes were certainly there when it started.
    let available: Int
    /// Of a merging source's handler: it has said what it was given.
    var hasTaken = false
  }

  /// A change that restricts what may start.
  struct Change: Sendable {
    enum What: Sendable, Hashable {
      case hold(Holdable)
      case retarget(Int)
      case move(Int)
      case cancel(Int)
    }
    let number: Int
    let what: What
  }
}
