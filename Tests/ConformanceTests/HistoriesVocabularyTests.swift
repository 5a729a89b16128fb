import Testing

@testable import HawtConformance

/// What histories are made of: each pace has its whole vocabulary, and uses every word of it often enough to matter.
@Suite struct HistoriesVocabularyTests {
  private static let histories = 1_000

  /// How often each word comes in so many histories of a pace.
  private static func counts(_ pace: HistoryPace) -> [String: Int] {
    var counts: [String: Int] = [:]
    for seed in 1...UInt64(histories) {
      for word in words(of: History(pace, seed: seed)) { counts[word, default: 0] += 1 }
    }
    return counts
  }

  /// A word says what is done and, where that matters, by whom and to whose own.
  private static func words(of history: History) -> [String] {
    let places = Dictionary(
      history.steps.compactMap { step in step.operation.place.map { (step.number, $0) } }, uniquingKeysWith: { $1 })
    return history.steps.flatMap { step in
      let verb = step.operation.verb
      switch step.by {
      case .outside: return [verb]
      case .task(let task):
        let own = places[task].map { step.operation.isAbout($0) } ?? false
        return ["task: \(verb)"] + (own ? ["task: \(verb) its own queue"] : [])
      case .handler(let source):
        let isOwn = step.operation.isAbout(source) || places[source].map { step.operation.isAbout($0) } ?? false
        return ["handler: \(verb)"] + (isOwn ? ["handler: \(verb) its own"] : [])
      }
    }
  }

  private static let common = [
    "submit", "delay", "cancel timer", "suspend", "resume", "retarget", "open", "read", "watch room", "fill by handler",
    "gather", "activate", "move", "let read", "cancel", "write", "drain", "half-close", "hang up", "reset", "close",
    "reuse, suspended", "reuse, cancelledBefore", "reuse, cancelledAfter", "merge", "shut down patiently",
    "shut down in a hurry", "restart",
    "task: submit", "task: delay", "task: throw", "task: merge", "task: suspend", "task: resume", "task: retarget",
    "task: activate", "task: cancel", "task: cancel timer",
    "task: suspend its own queue", "task: resume its own queue", "task: retarget its own queue",
    "handler: submit", "handler: delay", "handler: merge", "handler: merge its own", "handler: cancel its own",
  ]
  private static let ofRaces = [
    "fill", "meet", "task: be busy", "handler: suspend its own", "handler: retarget its own", "handler: move its own",
    "handler: suspend", "handler: resume", "handler: retarget",
  ]

  @Test(arguments: HistoryPace.allCases) func everyWordIsUsed(_ pace: HistoryPace) {
    let counts = Self.counts(pace)
    let rare = (Self.common + (pace == .racing ? Self.ofRaces : [])).filter { counts[$0, default: 0] < 20 }
    #expect(
      rare == [],
      "in \(Self.histories) histories: \(rare.map { "\($0) \(counts[$0, default: 0]) times" }.joined(separator: ", "))")
  }
}

extension HistoryOperation {
  /// Exhaustive, so that a new operation is given a word, and looked for.
  fileprivate var verb: String {
    switch self {
    case .submit: "submit"
    case .arm: "delay"
    case .disarm: "cancel timer"
    case .suspend: "suspend"
    case .resume: "resume"
    case .retarget: "retarget"
    case .connect: "open"
    case .makeReader: "read"
    case .makeWriter(_, _, let fills): fills ? "fill by handler" : "watch room"
    case .makeRefused: "watch what is refused"
    case .makeMerger: "gather"
    case .activate: "activate"
    case .move: "move"
    case .take: "let read"
    case .cancel: "cancel"
    case .write: "write"
    case .fill: "fill"
    case .drain: "drain"
    case .end(_, let ending): ending.rawValue
    case .close: "close"
    case .replace(_, _, let predecessors): "reuse, \(predecessors)"
    case .merge: "merge"
    case .dawdle: "be busy"
    case .fail: "throw"
    case .shutDown(let isPatient): isPatient ? "shut down patiently" : "shut down in a hurry"
    case .restart: "restart"
    case .meet: "meet"
    }
  }

  /// The queue on which it has something run.
  fileprivate var place: QueueName? {
    switch self {
    case .submit(let queue), .arm(let queue, _), .makeReader(_, let queue, _), .makeWriter(_, let queue, _),
      .makeRefused(_, let queue), .makeMerger(let queue):
      queue
    default: nil
    }
  }

  fileprivate func isAbout(_ queue: QueueName) -> Bool {
    switch self {
    case .suspend(.queue(let number)), .resume(.queue(let number)), .retarget(let number, _): queue == .serial(number)
    default: false
    }
  }

  fileprivate func isAbout(_ source: Int) -> Bool {
    switch self {
    case .suspend(.source(source)), .resume(.source(source)), .cancel(source), .merge(source), .move(source, _): true
    default: false
    }
  }
}
