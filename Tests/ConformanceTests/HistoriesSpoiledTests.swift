import Testing

@testable import HawtConformance

/// What the library really did, spoiled in one place.
@Suite(.serialized) struct HistoriesSpoiledTests {
  /// Of the first histories, and of the first of those behind them that close a connection and shut down: few do.
  private static func logs(
    _ pace: HistoryPace, _ count: Int, shuttingDown stopping: Int
  ) throws -> [(name: String, events: [HistoryEvent])] {
    let stage = try HistoryStage(Subject.builtIn[0])
    defer { stage.end {} }
    let others = (count...).lazy.map { History(pace, seed: UInt64($0 + 1)) }.filter { history in
      history.steps.contains { if case .close = $0.operation { true } else { false } }
        && history.steps.contains { if case .shutDown = $0.operation { true } else { false } }
    }
    let histories = (0..<count).map { History(pace, seed: UInt64($0 + 1)) } + others.prefix(stopping)
    return histories.map { history in
      (history.name, HistoryPlayer(history, on: stage, patience: .seconds(30)).play().events)
    }
  }

  /// What is done to a log.
  enum Spoil: CaseIterable {
    case taskLost, taskTwice, taskElsewhere, bytesMissing, bytesTooMany, elementLost, errorUntold, cancelHandlerLost
    case outcomeUntold, outcomeTwice, superseded, callFailed, closedElsewhere
    case oneMoreDiscarded, oneMoreDropped, oneMoreStuck, reportLost
  }

  /// The ways to spoil one event.
  private static func spoiled(_ log: [HistoryEvent], at index: Int) -> [(Spoil, [HistoryEvent])] {
    let rest = Array(log[(index + 1)...])
    let before = Array(log[..<index])
    switch log[index] {
    case .started(.task(let task), let queue, let worker):
      let lost = log.filter { $0 != log[index] && $0 != .ended(.task(task)) }
      let end = log.firstIndex(of: .ended(.task(task))) ?? index
      let twice = log[...end] + [log[index], .ended(.task(task))] + log[(end + 1)...]
      let elsewhere = before + [.started(.task(task), on: other(queue), worker: worker)] + rest
      return [(.taskLost, lost), (.taskTwice, Array(twice)), (.taskElsewhere, elsewhere)]
    case .read(let source, let limit, .bytes(let count)):
      return [(.bytesMissing, count - 1), (.bytesTooMany, count + 1)].map { spoil, count in
        (spoil, before + [.read(source: source, atMost: limit, .bytes(count))] + rest)
      }
    case .took(let source, let elements) where !elements.isEmpty:
      return [(.elementLost, before + [.took(source: source, Array(elements.dropLast()))] + rest)]
    case .failed: return [(.errorUntold, before + rest)]
    case .completed(let retarget, isSuperseded: false):
      let superseded = HistoryEvent.completed(retarget, isSuperseded: true)
      return [
        (.outcomeUntold, before + rest), (.outcomeTwice, before + [log[index], log[index]] + rest),
        (.superseded, before + [superseded] + rest),
      ]
    case .returned(let step, .done): return [(.callFailed, before + [.returned(number: step, .threw("EIO"))] + rest)]
    case .started(.closing(let connection), let queue, let worker):
      return [(.closedElsewhere, before + [.started(.closing(connection), on: other(queue), worker: worker)] + rest)]
    case .reported(let discarded, let dropped, let stuck, let isInTime):
      func reported(_ one: Int, _ two: Int, _ three: Int) -> [HistoryEvent] {
        let report = HistoryEvent.reported(
          discarded: discarded + one, dropped: dropped + two, stuck: stuck + three, isInTime: isInTime)
        return before + [report] + rest
      }
      return [
        (.oneMoreDiscarded, reported(1, 0, 0)), (.oneMoreDropped, reported(0, 1, 0)),
        (.oneMoreStuck, reported(0, 0, 1)), (.reportLost, before + rest),
      ]
    case .started(.cancelHandler, _, _): return [(.cancelHandlerLost, log.filter { $0 != log[index] })]
    default: return []
    }
  }

  private static func other(_ queue: QueueName) -> QueueName { queue == .serial(3) ? .serial(2) : .serial(3) }

  @Test(arguments: HistoryPace.allCases) func aRealLogWithOneEventSpoiledIsRejected(_ pace: HistoryPace) throws {
    var counts: [Spoil: Int] = [:]
    var unnoticed: [Spoil: [String]] = [:]
    for (name, log) in try Self.logs(pace, 40, shuttingDown: 20) {
      #expect(HistoryModel.check(log) == nil, "\(name)")
      for index in log.indices {
        for (spoil, wrong) in Self.spoiled(log, at: index) {
          counts[spoil, default: 0] += 1
          if HistoryModel.check(wrong) == nil {
            unnoticed[spoil, default: []].append("\(name), event \(index): \(log[index].line)")
          }
        }
      }
    }
    for spoil in Spoil.allCases {
      let (all, missed) = (counts[spoil] ?? 0, unnoticed[spoil] ?? [])
      #expect(all >= 20, "\(spoil) was tried \(all) times")
      // Where calls overlap some may be right: of bytes, say, that were being written when a handler read; and of a
      // retarget that was called before another one had returned nobody knows which came first.
      let most = pace == .lockstep ? 0 : spoil == .superseded ? all / 3 : all / 20
      #expect(
        missed.count <= most, "\(spoil) went unnoticed \(missed.count) of \(all) times: \(missed.prefix(3))")
    }
  }
}
