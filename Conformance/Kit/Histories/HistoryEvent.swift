/// A piece of user code that the library runs.
enum HistoryWork: Hashable, Sendable, CustomStringConvertible {
  /// A submitted or delayed task.
  case task(Int)
  case handler(Int)
  case cancelHandler(Int)
  /// What a retarget calls when it is done.
  case completion(Int)
  /// The joint handler that closes a connection.
  case closing(Int)

  var description: String {
    switch self {
    case .task(let step): "k\(step)"
    case .handler(let step): "handler of s\(step)"
    case .cancelHandler(let step): "cancel handler of s\(step)"
    case .completion(let step): "completion of \(step)"
    case .closing(let step): "closing of c\(step)"
    }
  }
}

/// What came of an operation.
enum HistoryOutcome: Hashable, Sendable, CustomStringConvertible {
  case done
  case accepted
  case refusedShutDown
  case refusedCancelled
  /// Of `disarm`: whether the task will never start.
  case disarmed(Bool)
  /// Of `write`: how many bytes were taken.
  case wrote(Int)
  /// A typed error, by name.
  case threw(String)

  var description: String {
    switch self {
    case .done: "done"
    case .accepted: "accepted"
    case .refusedShutDown: "refused: shut down"
    case .refusedCancelled: "refused: cancelled"
    case .disarmed(let isCertain): isCertain ? "will not run" : "too late"
    case .wrote(let count): "\(count) bytes"
    case .threw(let error): error
    }
  }
}

/// What a handler's attempt to read brought.
enum ReadResult: Hashable, Sendable, CustomStringConvertible {
  case bytes(Int)
  case end
  case nothing
  case failed(CInt)
  /// The number is another connection's by now.
  case gone

  var description: String {
    switch self {
    case .gone: "another's number"
    case .bytes(let count): "\(count) bytes"
    case .end: "the end"
    case .nothing: "nothing"
    case .failed: "a broken connection"
    }
  }
}

/// What the player itself found wrong, because it alone sees times, bytes and registrations.
enum HistoryBreach: Hashable, Sendable, CustomStringConvertible {
  case early(timer: Int)
  case stillRegistered(source: Int)
  case foreignBytes(source: Int)
  case leftRegistrations(Int)

  var description: String {
    switch self {
    case .early(let timer): "T1: k\(timer) ran before it was due"
    case .stillRegistered(let source): "S7: s\(source) is registered while its cancel handler runs"
    case .foreignBytes(let source): "S8: s\(source) got bytes that were not sent to it"
    case .leftRegistrations(let count): "S7: \(count) registrations are left when every source is cancelled"
    }
  }
}

/// One line of the log: what was done, or was seen. The order of the log is one in which it can have happened: what is
/// logged at the end of a call comes before what is logged at the beginning of a later one.
enum HistoryEvent: Hashable, Sendable {
  /// About to be called. `number` is the step's, or, for what handlers do, one that is used once.
  case called(number: Int, HistoryOperation, by: HistoryActor)
  case returned(number: Int, HistoryOutcome)
  /// First thing in the body: on which queue, and on which worker's thread.
  case started(HistoryWork, on: QueueName, worker: Int)
  /// Last thing in the body.
  case ended(HistoryWork)
  case read(source: Int, atMost: Int, ReadResult)
  /// What a merging source's handler, or its cancel handler, was given.
  case took(source: Int, [Int])
  case completed(Int, isSuperseded: Bool)
  /// The error handler was told of a task that threw.
  case failed(queue: QueueName)
  /// A shutdown's report, and whether it came before the deadline.
  case reported(discarded: Int, dropped: Int, stuck: Int, isInTime: Bool = false)
  case breach(HistoryBreach)
  /// What a serial queue says its target is, while nothing goes on.
  case target(Int, QueueName)
  /// Every worker has come to the end of a task since the last operation returned.
  case boundary
  /// Nothing goes on, and nothing is owed.
  case rest
}

extension HistoryEvent {
  /// The line of the trace, as a JSON object.
  var line: String {
    switch self {
    case .called(let number, let operation, let actor):
      JSONLine.make(("event", "called"), ("step", number), ("by", "\(actor)"), ("operation", "\(operation)"))
    case .returned(let number, let outcome):
      JSONLine.make(("event", "returned"), ("step", number), ("outcome", "\(outcome)"))
    case .started(let work, let queue, let worker):
      JSONLine.make(("event", "started"), ("work", "\(work)"), ("queue", "\(queue)"), ("worker", worker))
    case .ended(let work): JSONLine.make(("event", "ended"), ("work", "\(work)"))
    case .read(let source, let limit, let result):
      JSONLine.make(("event", "read"), ("source", "s\(source)"), ("limit", limit), ("result", "\(result)"))
    case .took(let source, let elements):
      JSONLine.make(
        ("event", "took"), ("source", "s\(source)"),
        ("elements", elements.map { "e\($0)" }.joined(separator: " ")))
    case .completed(let step, let isSuperseded):
      JSONLine.make(("event", "completed"), ("step", step), ("outcome", isSuperseded ? "superseded" : "effective"))
    case .failed(let queue): JSONLine.make(("event", "failed"), ("queue", "\(queue)"))
    case .reported(let discarded, let dropped, let stuck, let isInTime):
      JSONLine.make(
        ("event", "reported"), ("discarded", discarded), ("dropped", dropped), ("stuck", stuck),
        ("deadline", isInTime ? "not reached" : "passed"))
    case .breach(let breach): JSONLine.make(("event", "breach"), ("what", "\(breach)"))
    case .target(let queue, let target):
      JSONLine.make(("event", "target"), ("queue", "q\(queue)"), ("target", "\(target)"))
    case .boundary: JSONLine.make(("event", "boundary"))
    case .rest: JSONLine.make(("event", "rest"))
    }
  }
}

/// Writes one flat JSON object. Every text is made of logical names, which need no escapes.
enum JSONLine {
  typealias Field = (name: String, value: any Sendable)

  static func make(_ fields: Field...) -> String { make(fields) }

  static func make(_ fields: [Field]) -> String {
    let parts = fields.map { field in
      if let number = field.value as? Int { return "\"\(field.name)\":\(number)" }
      return "\"\(field.name)\":\"\(field.value)\""
    }
    return "{" + parts.joined(separator: ",") + "}"
  }
}
