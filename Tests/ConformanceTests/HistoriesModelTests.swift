import Testing

@testable import HawtConformance

/// A model that allows everything proves nothing.
@Suite struct HistoriesModelTests {
  @Test(arguments: Planted.all) func allowsTheRightAndRejectsTheWrong(_ planted: Planted) {
    let right = HistoryModel.check(planted.right.events)
    #expect(right == nil, "rejected, though nothing is wrong: \(right?.reason ?? "")")
    let wrong = HistoryModel.check(planted.wrong.events)
    #expect(wrong?.reason.hasPrefix(planted.rule + ":") == true, "the model says: \(wrong?.reason ?? "allowed")")
  }

  @Test func whatRestAsksIsAllThatIsOwed() {
    let scene = Scene {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .arm(.serial(1), .never), .accepted)
      $0.did(4, .makeMerger(.serial(1)))
      $0.did(5, .merge(into: 4), .accepted)
      $0.rest()
    }
    #expect(HistoryModel.check(scene.events) == nil)
  }
}

/// The same with what the library really did, spoiled in one place.
@Suite(.serialized) struct HistoriesSpoiledTests {
  private static func logs(_ pace: HistoryPace, _ count: Int) throws -> [(name: String, events: [HistoryEvent])] {
    let stage = try HistoryStage(Subject.builtIn[0])
    defer { stage.end {} }
    return (1...count).map { seed in
      let history = History(pace, seed: UInt64(seed))
      return (history.name, HistoryPlayer(history, on: stage, patience: .seconds(30)).play().events)
    }
  }

  /// What is done to a log.
  enum Spoil: CaseIterable {
    case taskLost, taskTwice, taskElsewhere, bytesMissing, bytesTooMany, elementLost, errorUntold, cancelHandlerLost
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
    case .started(.cancelHandler, _, _): return [(.cancelHandlerLost, log.filter { $0 != log[index] })]
    default: return []
    }
  }

  private static func other(_ queue: QueueName) -> QueueName { queue == .serial(3) ? .serial(2) : .serial(3) }

  @Test(arguments: HistoryPace.allCases) func aRealLogWithOneEventSpoiledIsRejected(_ pace: HistoryPace) throws {
    var counts: [Spoil: Int] = [:]
    var unnoticed: [Spoil: [String]] = [:]
    for (name, log) in try Self.logs(pace, 40) {
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
      #expect(
        pace == .racing || missed.isEmpty,
        "\(spoil) went unnoticed \(missed.count) of \(all) times: \(missed.prefix(3))")
    }
    // Where calls overlap some may be right: of bytes, say, that were being written when a handler read.
    let (all, missed) = (counts.values.reduce(0, +), unnoticed.values.joined())
    #expect(missed.count <= all / 4, "\(missed.count) of \(all) went unnoticed: \(missed.prefix(5))")
  }
}
