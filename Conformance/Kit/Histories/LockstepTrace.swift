/// The one form of what happened in a step, whatever of it happened first.
///
/// Nothing is promised about the order of things on different queues, nor of what different tasks submit to one: lines
/// are put in the order of their *streams*, and keep their own order within one. The model judges the real order.
enum LockstepTrace {
  /// - Parameters:
  ///   - events: what was logged from the step's beginning to the rest after it.
  ///   - step: its name.
  ///   - script: every step of the history by its number.
  ///   - isPinned: whether the worker on which a queue runs is part of the trace.
  static func lines(
    of events: ArraySlice<HistoryEvent>, step: String, script: [Int: HistoryStep], isPinned: (QueueName) -> Bool
  ) -> [String] {
    var found: [(stream: String, line: String)] = []
    var calls: [Int: (operation: HistoryOperation, actor: HistoryActor)] = [:]
    func add(_ stream: String, _ fields: (name: String, value: any Sendable)...) {
      found.append((stream, JSONLine.make([("step", step)] + fields)))
    }
    for event in events {
      switch event {
      case .called(let number, let operation, let actor):
        calls[number] = (operation, actor)
      case .returned(let number, let outcome):
        guard let (operation, actor) = calls[number] else { continue }
        // What is done from outside comes first.
        let stream = actor.isOutside ? "" : "\(actor)"
        add(stream, ("by", "\(actor)"), ("did", "\(operation)"), ("outcome", "\(outcome)"))
      case .started(let work, let queue, let worker):
        if case .handler(let source) = work, isMerger(source, events) { continue }
        if case .cancelHandler(let source) = work, losesItsFile(source, script) { continue }
        if case .closing(let connection) = work, inheritsSources(connection, script) { continue }
        let stream = "\(queue) \(self.stream(of: work, on: queue, script))"
        if isPinned(queue) {
          add(stream, ("ran", "\(work)"), ("queue", "\(queue)"), ("worker", worker))
        } else {
          add(stream, ("ran", "\(work)"), ("queue", "\(queue)"))
        }
      case .read(let source, _, let result): add("s\(source)", ("source", "s\(source)"), ("read", "\(result)"))
      // How many deliveries there are is chance if several tasks merge at once: element by element.
      case .took(let source, let elements):
        for element in elements { add("s\(source) \(element)", ("source", "s\(source)"), ("took", "e\(element)")) }
      case .completed(let number, let isSuperseded):
        add("completion \(number)", ("completed", number), ("superseded", "\(isSuperseded)"))
      case .failed(let queue): add("failed \(queue)", ("failed", "\(queue)"))
      // A timer that was due in a suspended queue is a task by then, or still a timer.
      case .reported(let discarded, let dropped, _, _):
        add("report", ("given up", discarded + dropped))
      case .breach(let breach): add("breach", ("breach", "\(breach)"))
      case .ended, .target, .boundary, .rest: break
      }
    }
    return found.enumerated().sorted { left, right in
      (left.element.stream, left.offset) < (right.element.stream, right.offset)
    }.map(\.element.line)
  }

  private static func isMerger(_ source: Int, _ events: ArraySlice<HistoryEvent>) -> Bool {
    events.contains { if case .took(let other, _) = $0 { other == source } else { false } }
  }

  /// Whether the source's number is another's while it is registered: when the library finds out, and cancels it, is a
  /// matter of the backend.
  private static func losesItsFile(_ source: Int, _ script: [Int: HistoryStep]) -> Bool {
    let connection: Int
    switch script[source]?.operation {
    case .makeReader(let name, _, _), .makeWriter(let name, _, _): connection = name
    default: return false
    }
    return script.values.contains {
      if case .replace(connection, _, .suspended) = $0.operation { true } else { false }
    }
  }

  /// Whether a connection has taken over such sources with their number: when it is closed depends on them.
  private static func inheritsSources(_ connection: Int, _ script: [Int: HistoryStep]) -> Bool {
    if case .replace(_, _, .suspended) = script[connection]?.operation { true } else { false }
  }

  /// What the same one submitted comes in order, and so do its timers of one delay. Anything else may come in any order.
  private static func stream(
    of work: HistoryWork, on queue: QueueName, _ script: [Int: HistoryStep]
  ) -> String {
    guard case .task(let number) = work, queue != .global, let step = script[number] else { return "\(work)" }
    if case .arm(_, let delay) = step.operation { return "timers of \(step.by), \(delay)" }
    return "tasks of \(step.by)"
  }
}
