@testable import HawtConformance

/// One planted fault for each thing that the model is there to see.
extension Planted {
  static let all =
    tasks + places + retargets + holds + timers + sources + readiness + merging + ends + accounts + outcomes + room
    + numbers

  static let tasks = [
    Planted("a task is lost", "Q5") {
      $0.submitted(1)
      $0.ran(.task(1))
      $0.rest()
    } wrong: {
      $0.submitted(1)
      $0.rest()
    },
    Planted("a task runs twice", "Q1") {
      $0.submitted(1)
      $0.ran(.task(1))
    } wrong: {
      $0.submitted(1)
      $0.ran(.task(1))
      $0.ran(.task(1))
    },
    Planted("a submission runs its task itself", "Q3") {
      $0.called(1, .submit(.serial(0)))
      $0.ran(.task(1))
      $0.returned(1, .accepted)
    } wrong: {
      $0.called(1, .submit(.serial(0)))
      $0.ran(.task(1), on: .serial(0), -1)
      $0.returned(1, .accepted)
    },
    Planted("a task runs that nobody submitted", "Q1") {
      $0.submitted(1)
    } wrong: {
      $0.ran(.task(1))
    },
    Planted("the order of a queue is broken", "Q1") {
      $0.submitted(1, 2)
      $0.ran(.task(1))
      $0.ran(.task(2))
    } wrong: {
      $0.submitted(1, 2)
      $0.ran(.task(2))
    },
    Planted("two calls overlap, so either order is right; a third came later", "Q1") {
      $0.called(1, .submit(.serial(0)))
      $0.did(2, .submit(.serial(0)), by: .outside(1), .accepted)
      $0.returned(1, .accepted)
      $0.submitted(3)
      for task in [2, 1, 3] { $0.ran(.task(task)) }
      $0.rest()
    } wrong: {
      $0.called(1, .submit(.serial(0)))
      $0.did(2, .submit(.serial(0)), by: .outside(1), .accepted)
      $0.returned(1, .accepted)
      $0.submitted(3)
      $0.ran(.task(3))
    },
    Planted("two tasks of one queue at once", "Q2") {
      $0.submitted(1, 2)
      $0.ran(.task(1))
      $0.ran(.task(2), on: .serial(0), 1)
    } wrong: {
      $0.submitted(1, 2)
      $0.started(.task(1))
      $0.started(.task(2), on: .serial(0), 1)
    },
    Planted("two queues nested in one run at once", "Q2") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.did(2, .retarget(1, .serial(0)))
      $0.completed(1, on: .thread(1), 1)
      $0.completed(2, on: .serial(0), 1)
      $0.submitted(3, to: .serial(0))
      $0.submitted(4, to: .serial(1))
      $0.ran(.task(3), on: .serial(0), 1)
      $0.ran(.task(4), on: .serial(1), 1)
      $0.rest()
    } wrong: {
      $0.did(2, .retarget(1, .serial(0)))
      $0.submitted(3, to: .serial(0))
      $0.submitted(4, to: .serial(1))
      $0.started(.task(3), on: .serial(0), 0)
      $0.started(.task(4), on: .serial(1), 1)
    },
    Planted("a task runs inside another", "Q3") {
      $0.submitted(1, 2, to: .global)
      $0.started(.task(1), on: .global, 0)
      $0.started(.task(2), on: .global, 1)
    } wrong: {
      $0.submitted(1, 2, to: .global)
      $0.started(.task(1), on: .global, 0)
      $0.started(.task(2), on: .global, 0)
    },
    Planted("an error is swallowed", "Q10") {
      $0.submitted(1)
      $0.ran(.task(1)) { $0.did(2, .fail, by: .task(1)) }
      $0.note(.failed(queue: .serial(0)))
      $0.rest()
    } wrong: {
      $0.submitted(1)
      $0.ran(.task(1)) { $0.did(2, .fail, by: .task(1)) }
      $0.rest()
    },
    Planted("an error is told twice", "Q10") {
      $0.submitted(1)
      $0.ran(.task(1)) { $0.did(2, .fail, by: .task(1)) }
      $0.note(.failed(queue: .serial(0)))
    } wrong: {
      $0.submitted(1)
      $0.ran(.task(1)) { $0.did(2, .fail, by: .task(1)) }
      $0.note(.failed(queue: .serial(0)))
      $0.note(.failed(queue: .serial(0)))
    },
  ]

  static let places = [
    Planted("a pinned queue runs on another thread", "M2") {
      $0.did(1, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(2), 2)
      $0.submitted(2)
      $0.ran(.task(2), on: .serial(0), 2)
      $0.rest()
    } wrong: {
      $0.did(1, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(2), 2)
      $0.submitted(2)
      $0.ran(.task(2), on: .serial(0), 1)
    },
    Planted("a second task runs at the old place", "M2") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.submitted(2, 3)
      $0.did(4, .retarget(0, .thread(2)))
      // This one may have been taken before.
      $0.ran(.task(2), on: .serial(0), 1)
      $0.ran(.task(3), on: .serial(0), 2)
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.submitted(2, 3)
      $0.did(4, .retarget(0, .thread(2)))
      $0.ran(.task(2), on: .serial(0), 1)
      $0.ran(.task(3), on: .serial(0), 1)
    },
    Planted("a task runs in another queue than it was given to", "Q7") {
      $0.submitted(1)
      $0.ran(.task(1))
    } wrong: {
      $0.submitted(1)
      $0.ran(.task(1), on: .serial(1))
    },
    Planted("a retarget never completes", "M3") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.completed(1, on: .thread(1), 1)
      $0.rest()
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.rest()
    },
    Planted("a retarget is called superseded, and nothing overtook it", "M3") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.did(2, .retarget(0, .thread(2)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.completed(1, on: .thread(1), 1, isSuperseded: true)
    },
    Planted("of two retargets at once a third place wins", "M3") {
      $0.called(1, .retarget(0, .thread(1)))
      $0.called(2, .retarget(0, .thread(2)), by: .outside(1))
      $0.returned(1)
      $0.returned(2)
      $0.note(.target(0, .thread(1)))
    } wrong: {
      $0.called(1, .retarget(0, .thread(1)))
      $0.called(2, .retarget(0, .thread(2)), by: .outside(1))
      $0.returned(1)
      $0.returned(2)
      $0.note(.target(0, .global))
    },
    Planted("a cycle is made", "Q8") {
      $0.did(1, .retarget(0, .serial(1)))
      $0.did(2, .retarget(1, .serial(0)), .threw("cycle"))
    } wrong: {
      $0.did(1, .retarget(0, .serial(1)))
      $0.did(2, .retarget(1, .serial(0)))
    },
    Planted("a target that makes no cycle is refused", "Q8") {
      $0.did(1, .retarget(0, .serial(1)))
    } wrong: {
      $0.did(1, .retarget(0, .serial(1)), .threw("cycle"))
    },
  ]

  static let holds = [
    Planted("a task runs on a suspended queue", "L1") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.rest()
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.ran(.task(2))
    },
    Planted("suspensions do not nest", "L1") {
      for step in 1...2 { $0.did(step, .suspend(.queue(0))) }
      $0.submitted(3)
      $0.did(4, .resume(.queue(0)))
      $0.rest()
      $0.did(5, .resume(.queue(0)))
      $0.ran(.task(3))
      $0.rest()
    } wrong: {
      for step in 1...2 { $0.did(step, .suspend(.queue(0))) }
      $0.submitted(3)
      $0.did(4, .resume(.queue(0)))
      $0.ran(.task(3))
    },
    Planted("a suspension does not hold a child", "L1") {
      $0.did(1, .retarget(1, .serial(0)))
      $0.completed(1, on: .serial(0))
      $0.did(2, .suspend(.queue(0)))
      $0.submitted(3, to: .serial(1))
    } wrong: {
      $0.did(1, .retarget(1, .serial(0)))
      $0.completed(1, on: .serial(0))
      $0.did(2, .suspend(.queue(0)))
      $0.submitted(3, to: .serial(1))
      $0.ran(.task(3), on: .serial(1))
    },
    Planted("a second task runs after a suspend has returned", "L1") {
      $0.submitted(1, 2)
      $0.did(3, .suspend(.queue(0)))
      $0.ran(.task(1))
      $0.rest()
    } wrong: {
      $0.submitted(1, 2)
      $0.did(3, .suspend(.queue(0)))
      $0.ran(.task(1))
      $0.ran(.task(2))
    },
    Planted("a suspend while a task runs lets another one start", "L1") {
      $0.submitted(1, 2)
      $0.started(.task(1))
      $0.did(3, .suspend(.queue(0)))
      $0.note(.ended(.task(1)))
      $0.rest()
    } wrong: {
      $0.submitted(1, 2)
      $0.started(.task(1))
      $0.did(3, .suspend(.queue(0)))
      $0.note(.ended(.task(1)))
      $0.started(.task(2))
    },
    Planted("a resume releases nothing", "Q5") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .resume(.queue(0)))
      $0.ran(.task(2))
      $0.rest()
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .resume(.queue(0)))
      $0.rest()
    },
  ]

  static let timers = [
    Planted("a timer is lost", "T1") {
      $0.did(1, .arm(.serial(0), .short), .accepted)
      $0.ran(.task(1))
      $0.rest()
    } wrong: {
      $0.did(1, .arm(.serial(0), .short), .accepted)
      $0.rest()
    },
    Planted("of two equal timers the later comes first", "T1") {
      for step in 1...2 { $0.did(step, .arm(.serial(0), .short), .accepted) }
      for step in 1...2 { $0.ran(.task(step)) }
    } wrong: {
      for step in 1...2 { $0.did(step, .arm(.serial(0), .short), .accepted) }
      $0.ran(.task(2))
    },
    Planted("a timer is early", "T1") {
      $0.did(1, .arm(.serial(0), .short), .accepted)
    } wrong: {
      $0.did(1, .arm(.serial(0), .short), .accepted)
      $0.note(.breach(.early(timer: 1)))
    },
    Planted("a cancelled timer runs", "T3") {
      $0.did(1, .arm(.serial(0), .longer), .accepted)
      $0.did(2, .disarm(timer: 1), .disarmed(true))
      $0.rest()
    } wrong: {
      $0.did(1, .arm(.serial(0), .longer), .accepted)
      $0.did(2, .disarm(timer: 1), .disarmed(true))
      $0.ran(.task(1))
    },
    Planted("a cancel says true of a timer that has started", "T3") {
      $0.did(1, .arm(.serial(0), .longer), .accepted)
      $0.ran(.task(1))
      $0.did(2, .disarm(timer: 1), .disarmed(false))
    } wrong: {
      $0.did(1, .arm(.serial(0), .longer), .accepted)
      $0.ran(.task(1))
      $0.did(2, .disarm(timer: 1), .disarmed(true))
    },
    Planted("a cancel says that it is too late, and the timer never runs", "T1") {
      $0.did(1, .arm(.serial(0), .longer), .accepted)
      $0.did(2, .disarm(timer: 1), .disarmed(false))
      $0.ran(.task(1))
      $0.rest()
    } wrong: {
      $0.did(1, .arm(.serial(0), .longer), .accepted)
      $0.did(2, .disarm(timer: 1), .disarmed(false))
      $0.rest()
    },
  ]
}
