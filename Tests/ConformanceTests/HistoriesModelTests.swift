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
  private static func logs(_ count: Int) throws -> [(name: String, events: [HistoryEvent])] {
    let stage = try HistoryStage(Subject.builtIn[0])
    defer { stage.end {} }
    return (1...count).map { seed in
      let history = History(.lockstep, seed: UInt64(seed))
      return (history.name, HistoryPlayer(history, on: stage, patience: .seconds(30)).play().events)
    }
  }

  /// The ways to spoil one event; nil where a way does not apply.
  private static func spoiled(_ log: [HistoryEvent], at index: Int) -> [[HistoryEvent]] {
    let rest = Array(log[(index + 1)...])
    let before = Array(log[..<index])
    switch log[index] {
    case .started(.task(let task), let queue, let worker):
      let lost = log.filter { $0 != log[index] && $0 != .ended(.task(task)) }
      let end = log.firstIndex(of: .ended(.task(task))) ?? index
      let twice = log[...end] + [log[index], .ended(.task(task))] + log[(end + 1)...]
      let elsewhere = before + [.started(.task(task), on: other(queue), worker: worker)] + rest
      return [lost, Array(twice), elsewhere]
    case .read(let source, let limit, .bytes(let count)):
      return [count - 1, count + 1].map { before + [.read(source: source, atMost: limit, .bytes($0))] + rest }
    case .took(let source, let elements) where !elements.isEmpty:
      return [before + [.took(source: source, Array(elements.dropLast()))] + rest]
    case .failed: return [before + rest]
    case .started(.cancelHandler, _, _): return [log.filter { $0 != log[index] }]
    default: return []
    }
  }

  private static func other(_ queue: QueueName) -> QueueName { queue == .serial(3) ? .serial(2) : .serial(3) }

  @Test func aRealLogWithOneEventSpoiledIsRejected() throws {
    var count = 0
    for (name, log) in try Self.logs(40) {
      #expect(HistoryModel.check(log) == nil, "\(name)")
      for index in log.indices {
        for wrong in Self.spoiled(log, at: index) {
          count += 1
          #expect(
            HistoryModel.check(wrong) != nil, "\(name): nothing was noticed at event \(index): \(log[index].line)")
        }
      }
    }
    #expect(count > 500)
  }
}
