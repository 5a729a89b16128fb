import Testing

@testable import BrokenBackends
@testable import HawtConformance

/// Real histories, and what is done with those that are wrong.
@Suite(.serialized) struct HistoriesTests {
  @Test(arguments: [HistoryOptions.Choice.lockstep, .racing])
  func backendsAndModelAgree(_ choice: HistoryOptions.Choice) throws {
    let options = HistoryOptions(count: 60, choice: choice, patience: .seconds(60))
    let report = try compareHistories(on: Subject.builtIn, options: options)
    #expect(report.finding == nil, "seed \(options.seed): \(report.finding.map { "\($0)" } ?? "")")
    #expect(report.histories == 60 && report.events > 60 * 20)
    #expect(choice == .racing || report.linesCompared > 60 * 10)
  }

  /// What a subject is declared to do differently stands in no history's way.
  @Test func soDoesASubjectWithDeclaredDifferences() throws {
    let options = HistoryOptions(count: 150, choice: .lockstep, patience: .seconds(60))
    let report = try compareHistories(on: Subject.all, options: options)
    #expect(report.finding == nil, "seed \(options.seed): \(report.finding.map { "\($0)" } ?? "")")
  }

  @Test func theSameSeedPrintsTheSameTrace() throws {
    func trace() throws -> [String] {
      var lines: [String] = []
      let options = HistoryOptions(seed: 4_711, count: 40, choice: .lockstep, patience: .seconds(60))
      _ = try compareHistories(on: Subject.builtIn, options: options, trace: { lines.append($0) })
      return lines
    }
    let first = try trace()
    #expect(first == (try trace()))
    #expect(first.count > 500)
  }

  @Test func aNameStandsForItsHistory() throws {
    let whole = History(.racing, seed: 77)
    #expect(History(named: whole.name)?.steps == whole.steps)
    let part = whole.keeping([0, 2, 5])
    #expect(part.name == "racing/77/0,2,5")
    #expect(History(named: part.name)?.steps == part.steps)
    for wrong in ["", "racing", "racing/x", "fast/1", "racing/1/a", "racing/1/2/3", "racing/1/", "racing/77/2,99999"] {
      #expect(History(named: wrong) == nil, "\(wrong)")
    }
  }

  /// `activate` waits for the worker that registers: one that never does must not keep the player.
  @Test func aCallThatDoesNotReturnIsAFinding() throws {
    let options = HistoryOptions(count: 50, choice: .lockstep, patience: .milliseconds(200))
    var name: String?
    for seed in 1...50 where name == nil {
      let history = History(.lockstep, seed: UInt64(seed))
      let activation = history.steps.first { step in
        guard step.by.isOutside, case .activate(let source) = step.operation else { return false }
        return history.steps.contains { $0.number == source && $0.operation.isReader }
      }
      guard let activation, case .activate(let source) = activation.operation,
        let reader = history.steps.first(where: { $0.number == source }),
        case .makeReader(let connection, _, _) = reader.operation
      else { continue }
      name = history.keeping([connection, source, activation.number]).name
    }
    let report = try replayHistory(
      named: try #require(name), on: [Subject(name: "detaining", BrokenBackend<Detaining>.self)], options: options)
    isDetained.with { $0 = false }
    #expect(try #require(report?.finding).reason.contains("a call did not return"))
  }
}

private let isDetained = Shared(true)

/// Keeps the caller until the test is done.
func detention() { _ = isDetained.wait(atMost: .seconds(600)) { !$0 } }

extension HistoryOperation {
  fileprivate var isReader: Bool { if case .makeReader = self { true } else { false } }
}
