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
