/// A queue of a history. Nothing in a history or its trace depends on descriptors, addresses or times.
enum QueueName: Hashable, Sendable, CustomStringConvertible {
  case serial(Int)
  case thread(Int)
  case global

  var description: String {
    switch self {
    case .serial(let number): "q\(number)"
    case .thread(let worker): "t\(worker)"
    case .global: "g"
    }
  }
}

/// What can be suspended and resumed.
enum Holdable: Hashable, Sendable, CustomStringConvertible {
  case queue(Int)
  /// A source is called after the step that made it; so are tasks, connections and merged elements.
  case source(Int)

  var isQueue: Bool { if case .queue = self { true } else { false } }

  var description: String {
    switch self {
    case .queue(let number): "q\(number)"
    case .source(let step): "s\(step)"
    }
  }
}

/// When a delayed task is due: soon enough to be waited for, or so late that only a cancel or a shutdown ends it.
enum Delay: Int, Hashable, Sendable, Comparable, CaseIterable, CustomStringConvertible {
  case none = 0
  case short = 60
  case longer = 250
  case never = 3_600_000_000

  var duration: Duration { .microseconds(rawValue) }
  static func < (left: Delay, right: Delay) -> Bool { left.rawValue < right.rawValue }
  var description: String { self == .never ? "an hour" : "\(rawValue) µs" }
}

/// How the far side of a connection ends it.
enum FarEnd: String, Hashable, Sendable, CaseIterable {
  case halfClose = "half-close"
  case hangUp = "hang up"
  case reset
}

/// A descriptor that the system refuses to watch, with the name of its refusal.
enum Unpollable: String, Hashable, Sendable, CaseIterable {
  case file = "a file"
  case negative = "a negative number"

  var refusal: String { self == .file ? "EPERM" : "EBADF" }
}

/// What becomes of a connection's sources when its number is given to another one.
enum Predecessors: String, Hashable, Sendable, CaseIterable {
  /// They are suspended before, for good.
  case suspended = "sources stay"
  case cancelledBefore = "sources are being cancelled"
  case cancelledAfter = "sources are cancelled then"
}

/// One thing that a history does.
enum HistoryOperation: Hashable, Sendable {
  case submit(QueueName)
  case arm(QueueName, Delay)
  case disarm(timer: Int)
  case suspend(Holdable)
  case resume(Holdable)
  /// Pins, unpins or nests a serial queue, as the target is a thread queue, the global or another serial one.
  case retarget(Int, QueueName)
  case connect(Ends.Kind)
  /// A source whose handler reads `take` bytes at most; with 0 it leaves them and suspends itself.
  case makeReader(connection: Int, QueueName, take: Int)
  /// A source whose handler fills the connection, until the far end drains it; or suspends itself, as room to write
  /// stays.
  case makeWriter(connection: Int, QueueName, fills: Bool)
  case makeRefused(Unpollable, QueueName)
  case makeMerger(QueueName)
  case activate(Int)
  case move(source: Int, QueueName)
  case take(source: Int, Int)
  case cancel(Int)
  case write(connection: Int, Int)
  /// Writes at the near end until there is no room left.
  case fill(connection: Int)
  /// The far end takes all that has come.
  case drain(connection: Int)
  case end(connection: Int, FarEnd)
  /// Cancels the connection's sources and closes the near descriptor once the last cancel handler has run.
  case close(connection: Int)
  /// Gives the near descriptor's number to a new connection while its sources are registered.
  case replace(connection: Int, keepsDuplicate: Bool, Predecessors)
  case merge(into: Int)
  /// A task takes its time, so that others meet it.
  case dawdle(microseconds: Int)
  /// The task that does this throws when it has done the rest.
  case fail
  /// In a hurry, or with time enough and everything that is suspended resumed.
  case shutDown(isPatient: Bool)
  case restart
  /// All threads meet here, and everything comes to rest.
  case meet
}

extension HistoryOperation: CustomStringConvertible {
  var description: String {
    switch self {
    case .submit(let queue): "submit to \(queue)"
    case .arm(let queue, let delay): "delay by \(delay) on \(queue)"
    case .disarm(let timer): "cancel timer k\(timer)"
    case .suspend(let what): "suspend \(what)"
    case .resume(let what): "resume \(what)"
    case .retarget(let queue, let target): "retarget q\(queue) to \(target)"
    case .connect(let kind): "open \(kind.rawValue)"
    case .makeReader(let connection, let queue, let take): "read c\(connection) on \(queue), \(take) at a time"
    case .makeWriter(let connection, let queue, let fills):
      "watch room of c\(connection) on \(queue)\(fills ? " and fill it" : "")"
    case .makeRefused(let kind, let queue): "watch \(kind.rawValue) on \(queue)"
    case .makeMerger(let queue): "gather on \(queue)"
    case .activate(let source): "activate s\(source)"
    case .move(let source, let queue): "move s\(source) to \(queue)"
    case .take(let source, let count): "let s\(source) read \(count)"
    case .cancel(let source): "cancel s\(source)"
    case .write(let connection, let count): "write \(count) to c\(connection)"
    case .fill(let connection): "fill c\(connection)"
    case .drain(let connection): "drain c\(connection)"
    case .end(let connection, let ending): "\(ending.rawValue) c\(connection)"
    case .close(let connection): "close c\(connection)"
    case .replace(let connection, let keeps, let sources):
      "reuse the number of c\(connection)\(keeps ? ", a duplicate stays" : ""), \(sources.rawValue)"
    case .merge(let source): "merge into s\(source)"
    case .dawdle(let time): "be busy for \(time) µs"
    case .fail: "throw"
    case .shutDown(let isPatient): isPatient ? "shut down patiently" : "shut down in a hurry"
    case .restart: "restart"
    case .meet: "meet"
    }
  }
}

/// Who does something.
enum HistoryActor: Hashable, Sendable, CustomStringConvertible {
  /// A thread that is no worker.
  case outside(Int)
  case task(Int)
  /// The event handler of a source.
  case handler(Int)

  var isOutside: Bool { if case .outside = self { true } else { false } }

  var description: String {
    switch self {
    case .outside(let lane): "outside \(lane)"
    case .task(let step): "k\(step)"
    case .handler(let step): "s\(step)"
    }
  }
}

/// A line of a history's script. Steps of a task are done in order when it runs, those of a handler when it runs for the
/// first time, the others when their thread comes to them.
struct HistoryStep: Hashable, Sendable, CustomStringConvertible {
  /// Its place in the whole history, which stays when others are left out: what it makes is called after it.
  let number: Int
  let by: HistoryActor
  let operation: HistoryOperation

  var description: String { "\(number). \(by): \(operation)" }
}

/// Whether a history waits for rest after each step, or lets several go on at once.
enum HistoryPace: String, Hashable, Sendable, CaseIterable {
  case lockstep, racing
}

/// A script, and what makes it again.
struct History: Sendable, CustomStringConvertible {
  static let serialQueues = 4
  static let workers = 3

  let pace: HistoryPace
  let seed: UInt64
  let steps: [HistoryStep]
  /// How many steps the whole history has, this being a part of it or not.
  let length: Int

  /// The whole history of a seed.
  init(_ pace: HistoryPace, seed: UInt64) {
    var generator = HistoryGenerator(pace, seed: seed)
    let steps = generator.generate()
    self.init(pace, seed: seed, steps: steps, length: steps.count)
  }

  private init(_ pace: HistoryPace, seed: UInt64, steps: [HistoryStep], length: Int) {
    self.pace = pace
    self.seed = seed
    self.steps = steps
    self.length = length
  }

  /// The same without the other steps. What referred to them is passed over when it is played.
  func keeping(_ numbers: Set<Int>) -> History {
    History(pace, seed: seed, steps: steps.filter { numbers.contains($0.number) }, length: length)
  }

  /// Names it for `--replay`: the pace, the seed and, if some are left out, the steps that are kept.
  var name: String {
    let whole = "\(pace.rawValue)/\(seed)"
    return steps.count == length ? whole : whole + "/" + steps.map { "\($0.number)" }.joined(separator: ",")
  }

  /// The history of a name; nil if it is none.
  init?(named name: String) {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2 || parts.count == 3, let pace = HistoryPace(rawValue: String(parts[0])),
      let seed = UInt64(parts[1])
    else { return nil }
    let whole = History(pace, seed: seed)
    guard parts.count == 3 else {
      self = whole
      return
    }
    let numbers = parts[2].split(separator: ",").map { Int($0) }
    let known = Set(whole.steps.map(\.number))
    guard !numbers.isEmpty, numbers.allSatisfy({ $0.map(known.contains) ?? false }) else { return nil }
    self = whole.keeping(Set(numbers.compactMap { $0 }))
  }

  var description: String { steps.map { "\($0)" }.joined(separator: "\n") }
}
