/// How histories are compared.
public struct HistoryOptions: Sendable {
  /// Which histories: lockstep ones, racing ones, or both in turn.
  public enum Choice: String, Sendable, CaseIterable {
    case both, lockstep, racing
  }

  /// Where the choice of histories starts; each has the next seed.
  public var seed: UInt64
  /// How many histories.
  public var count: Int
  /// Which sort.
  public var choice: Choice
  /// How long to wait for what is owed before it counts as lost. Only a bound for failures, never a pause.
  public var patience: Duration
  /// The command that a finding prints to have its history again; nil: the kit's own.
  public var command: String?

  /// Every option may be left out.
  public init(
    seed: UInt64? = nil, count: Int = 1_000, choice: Choice = .both, patience: Duration = .seconds(10)
  ) {
    self.seed = seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
    self.count = count
    self.choice = choice
    self.patience = patience
  }

  /// The history at a place in the run.
  func history(at index: Int) -> History {
    let pace: HistoryPace =
      switch choice {
      case .both: index % 2 == 0 ? .lockstep : .racing
      case .lockstep: .lockstep
      case .racing: .racing
      }
    return History(pace, seed: seed &+ UInt64(index))
  }
}

/// What a comparison came to.
public struct HistoryReport: Sendable {
  /// The names of the backends.
  public let backends: [String]
  /// How many histories were played, on each backend.
  public internal(set) var histories = 0
  /// How many events the model read.
  public internal(set) var events = 0
  /// How many lines were compared byte by byte.
  public internal(set) var linesCompared = 0
  /// What was wrong, if anything; nothing more is played then.
  public internal(set) var finding: HistoryFinding?
}

/// Three-way comparison: plays the same histories on each backend, and has the model judge each.
///
/// - Parameters:
///   - subjects: the backends. One alone is compared with itself.
///   - options: which histories.
///   - trace: told each line of every trace.
///   - progress: told before each history how many are done, and the name of the next.
public func compareHistories(
  on subjects: [Subject], options: HistoryOptions, trace: ((String) -> Void)? = nil,
  progress: (_ done: Int, _ next: String) -> Void = { _, _ in }
) throws -> HistoryReport {
  let comparison = try HistoryComparison(subjects, options, trace: trace)
  for index in 0..<options.count {
    let history = options.history(at: index)
    progress(index, history.name)
    if try comparison.compare(history) != nil { break }
  }
  return comparison.end()
}

/// Plays one history, by its name: `lockstep/SEED`, `racing/SEED`, or either with the steps that are kept. A racing one
/// is played many times, as chance decides what meets.
///
/// - Returns: nil if that is no history's name.
public func replayHistory(
  named name: String, on subjects: [Subject], options: HistoryOptions, trace: ((String) -> Void)? = nil,
  _ willPlay: (String) -> Void = { _ in }
) throws -> HistoryReport? {
  guard let history = History(named: name) else { return nil }
  let comparison = try HistoryComparison(subjects, options, trace: trace)
  for _ in 0..<(history.pace == .racing ? options.count : 1) {
    willPlay(history.name)
    if try comparison.compare(history, shrinks: false) != nil { break }
  }
  return comparison.end()
}

/// Plays histories on the stages of several backends.
final class HistoryComparison {
  private let subjects: [Subject]
  private let options: HistoryOptions
  private let trace: ((String) -> Void)?
  private var stages: [HistoryStage]
  /// How many stages were told to end and have not.
  private let abandoned = Shared(0)
  private var report: HistoryReport
  /// The last history that was played.
  private var last: History?

  init(_ subjects: [Subject], _ options: HistoryOptions, trace: ((String) -> Void)? = nil) throws {
    let names = subjects.map(\.name)
    self.subjects = subjects.count == 1 ? subjects + subjects : subjects
    self.options = options
    self.trace = trace
    stages = try self.subjects.map { try HistoryStage($0) }
    report = HistoryReport(backends: names)
  }

  func end() -> HistoryReport {
    for stage in stages {
      abandoned.with { $0 += 1 }
      stage.end { [abandoned] in abandoned.with { $0 -= 1 } }
    }
    stages = []
    // Those that a failed history has left have a deadline of their own; a process that ended before them would leave
    // threads behind. A worker that a broken backend never wakes stays for ever.
    let haveEnded = abandoned.wait(atMost: .seconds(10)) { $0 == 0 }
    if !haveEnded, report.finding == nil, let last {
      report.finding = HistoryFinding(
        kind: .rejected, reason: "L3: a dispatcher that had played histories did not stop", history: last)
    }
    return report
  }

  /// Plays one history; one that is wrong is shortened and stands in the report.
  @discardableResult
  func compare(_ history: History, shrinks: Bool = true) throws -> HistoryFinding? {
    let patience = options.patience
    guard var finding = try judge(history, patience: patience, counts: true) else { return nil }
    if shrinks {
      let first = finding
      finding = try shortest(finding) { [self] in
        // What is lost once is lost soon: waiting long for it each time would make shrinking slow.
        let again = try judge($0, patience: min(patience, .milliseconds(500)), counts: false)
        return again.flatMap { $0.isLike(first) ? $0 : nil }
      }
      finding.firstReason = first.reason
    }
    finding.replay = Replay.line(
      history: finding.name, on: report.backends, command: options.command, patience: patience)
    report.finding = finding
    return finding
  }

  /// Plays it on every backend.
  func judge(_ history: History, patience: Duration, counts: Bool) throws -> HistoryFinding? {
    last = history
    var performances: [HistoryPerformance] = []
    for index in stages.indices {
      let player = HistoryPlayer(history, on: stages[index], patience: patience)
      let performance = player.play()
      if performance.rejection != nil {
        abandoned.with { $0 += 1 }
        stages[index].abandon(player) { [abandoned] in abandoned.with { $0 -= 1 } }
        stages[index] = try HistoryStage(subjects[index])
      }
      if counts { note(performance, of: history, on: subjects[index]) }
      performances.append(performance)
    }
    if counts { report.histories += 1 }
    return verdict(on: performances, of: history)
  }

  private func note(_ performance: HistoryPerformance, of history: History, on subject: Subject) {
    report.events += performance.events.count
    report.linesCompared += performance.lines.count
    guard let trace else { return }
    trace(JSONLine.make(("history", history.name), ("backend", subject.name)))
    for line in history.pace == .lockstep ? performance.lines : performance.events.map(\.line) { trace(line) }
  }

  private func verdict(on performances: [HistoryPerformance], of history: History) -> HistoryFinding? {
    let words = zip(subjects, performances).map { subject, performance in
      "\(subject.name): \(performance.rejection.map { "rejected, \($0)" } ?? "allowed")"
    }
    let rejected = performances.count { $0.rejection != nil }
    // In lockstep a backend that alone is rejected has shown something that the other has not.
    let isAlike = history.pace == .racing || rejected == performances.count
    if rejected > 0 {
      return HistoryFinding(
        kind: isAlike ? .rejected : .differs, reason: words.joined(separator: "\n    "),
        faults: performances.compactMap { $0.rejection?.reason }, history: history)
    }
    guard history.pace == .lockstep else { return nil }
    for (subject, performance) in zip(subjects, performances).dropFirst() {
      guard let (first, second) = difference(performances[0].lines, performance.lines) else { continue }
      let reason = "\(subjects[0].name): \(first)\n    \(subject.name): \(second)"
      return HistoryFinding(
        kind: .differs, reason: reason, faults: [first, second].filter { $0 != nothingMore }, history: history)
    }
    return nil
  }

  private var nothingMore: String { "nothing more" }

  /// The first lines that differ.
  private func difference(_ first: [String], _ second: [String]) -> (String, String)? {
    for index in 0..<max(first.count, second.count) {
      let left = index < first.count ? first[index] : nothingMore
      let right = index < second.count ? second[index] : nothingMore
      if left != right { return (left, right) }
    }
    return nil
  }
}
