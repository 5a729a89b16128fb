@testable import HawtConformance

/// Planted faults of retargets and of what they call when they are done.
extension Planted {
  static let retargets = [
    Planted("of two retargets at once both are called superseded", "M3") {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.completed(2, on: .thread(2), 2)
      $0.rest()
    } wrong: {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.completed(2, on: .thread(2), 2, isSuperseded: true)
    },
    Planted("both are superseded before a third that overtakes them is called", "M3") {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.did(3, .retarget(0, .global))
      $0.completed(2, on: .thread(2), 2, isSuperseded: true)
      $0.completed(3, on: .global)
      $0.rest()
    } wrong: {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.completed(2, on: .thread(2), 2, isSuperseded: true)
      $0.did(3, .retarget(0, .global))
    },
    Planted("a retarget is superseded by one that is refused", "M3") {
      $0.did(1, .retarget(1, .serial(0)))
      $0.completed(1, on: .serial(0))
      $0.called(2, .retarget(0, .thread(1)))
      $0.called(3, .retarget(0, .serial(1)), by: .outside(1))
      $0.returned(2)
      $0.returned(3, .threw("cycle"))
      $0.completed(2, on: .thread(1), 1)
      $0.rest()
    } wrong: {
      $0.did(1, .retarget(1, .serial(0)))
      $0.completed(1, on: .serial(0))
      $0.called(2, .retarget(0, .thread(1)))
      $0.called(3, .retarget(0, .serial(1)), by: .outside(1))
      $0.returned(2)
      $0.completed(2, on: .thread(1), 1, isSuperseded: true)
      $0.returned(3, .threw("cycle"))
    },
    Planted("a task starts at the old place after its queue's retarget has become effective", "M2") {
      $0.submitted(1, 2)
      $0.did(3, .retarget(0, .thread(1)))
      $0.ran(.task(1), on: .serial(0), 0)
      $0.completed(3, on: .thread(1), 1)
      $0.ran(.task(2), on: .serial(0), 1)
      $0.rest()
    } wrong: {
      $0.submitted(1, 2)
      $0.did(3, .retarget(0, .thread(1)))
      $0.completed(3, on: .thread(1), 1)
      $0.ran(.task(1), on: .serial(0), 0)
    },
    Planted("a task starts where a superseded retarget would have led it, after the other has become effective", "M2") {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.completed(2, on: .thread(2), 2)
      $0.submitted(3)
      $0.ran(.task(3), on: .serial(0), 2)
      $0.rest()
    } wrong: {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.completed(2, on: .thread(2), 2)
      $0.submitted(3)
      $0.ran(.task(3), on: .serial(0), 1)
    },
    Planted("the same, told the other way round", "M2") {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(2, on: .thread(2), 2)
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.submitted(3)
      $0.ran(.task(3), on: .serial(0), 2)
      $0.rest()
    } wrong: {
      $0.race(1, .retarget(0, .thread(1)), 2, .retarget(0, .thread(2)))
      $0.completed(2, on: .thread(2), 2)
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
      $0.submitted(3)
      $0.ran(.task(3), on: .serial(0), 1)
    },
    Planted("a completion does not say what the retarget came to", "M3") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.completed(1, on: .thread(1), 1)
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.ran(.completion(1), on: .thread(1), 1)
    },
    Planted("a completion says it twice", "M3") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.completed(1, on: .thread(1), 1)
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.ran(.completion(1), on: .thread(1), 1) {
        for _ in 1...2 { $0.note(.completed(1, isSuperseded: false)) }
      }
    },
    Planted("it is said outside of the completion", "M3") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.completed(1, on: .thread(1), 1)
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.note(.completed(1, isSuperseded: false))
    },
  ]
}
