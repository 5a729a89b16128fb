@testable import HawtConformance

/// Planted faults of what a shutdown runs, gives up and reports. A patient one has no deadline to speak of, and nothing
/// is held up for ever: it must run all that was accepted.
extension Planted {
  static let accounts = [
    Planted("a patient shutdown gives up a task that nothing held up", "L3") {
      $0.submitted(1)
      $0.did(2, .shutDown(isPatient: true))
      $0.ran(.task(1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.submitted(1)
      $0.did(2, .shutDown(isPatient: true))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
    },
    Planted("a patient shutdown gives up what running work submits", "L3") {
      $0.submitted(1)
      $0.started(.task(1))
      $0.did(2, .shutDown(isPatient: true))
      $0.did(3, .submit(.serial(1)), by: .task(1), .accepted)
      $0.note(.ended(.task(1)))
      $0.ran(.task(3), on: .serial(1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.submitted(1)
      $0.started(.task(1))
      $0.did(2, .shutDown(isPatient: true))
      $0.did(3, .submit(.serial(1)), by: .task(1), .accepted)
      $0.note(.ended(.task(1)))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
    },
    Planted("a patient shutdown gives up a retarget's completion", "L3") {
      $0.did(1, .retarget(0, .thread(1)))
      $0.did(2, .shutDown(isPatient: true))
      $0.completed(1, on: .thread(1), 1)
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.did(1, .retarget(0, .thread(1)))
      $0.did(2, .shutDown(isPatient: true))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    },
    Planted("a task stands in the report as a timer", "L3") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .arm(.serial(0), .short), .accepted)
      $0.did(4, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 1, stuck: 0))
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .arm(.serial(0), .short), .accepted)
      $0.did(4, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 2, stuck: 0))
    },
    Planted("a timer that is an hour off stands in the report as a task", "L3") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .arm(.serial(0), .never), .accepted)
      $0.did(4, .arm(.serial(0), .short), .accepted)
      $0.did(5, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 2, dropped: 1, stuck: 0))
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .arm(.serial(0), .never), .accepted)
      $0.did(4, .arm(.serial(0), .short), .accepted)
      $0.did(5, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 3, dropped: 0, stuck: 0))
    },
    Planted("a task ran, and is reported as discarded", "L3") {
      $0.submitted(1)
      $0.did(2, .shutDown(isPatient: false))
      $0.ran(.task(1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.submitted(1)
      $0.did(2, .shutDown(isPatient: false))
      $0.ran(.task(1))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
    },
    Planted("a shutdown gives up a timer of which a cancel said that it was too late", "T3") {
      $0.did(1, .arm(.serial(0), .short), .accepted)
      $0.did(2, .disarm(timer: 1), .disarmed(false))
      $0.did(3, .shutDown(isPatient: false))
      $0.ran(.task(1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.did(1, .arm(.serial(0), .short), .accepted)
      $0.did(2, .disarm(timer: 1), .disarmed(false))
      $0.did(3, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 1, stuck: 0))
    },
    Planted("a thread is called stuck, and nothing ran since the shutdown was asked for", "L3") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2, to: .serial(0))
      $0.submitted(3, to: .serial(1))
      $0.started(.task(3), on: .serial(1), 2)
      $0.did(4, .shutDown(isPatient: false))
      // The deadline overtook it on its way out of the task.
      $0.note(.ended(.task(3)))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 1))
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2, to: .serial(0))
      $0.submitted(3, to: .serial(1))
      $0.ran(.task(3), on: .serial(1), 2)
      $0.did(4, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 1))
    },
    Planted("more threads are called stuck than ran something", "L3") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2, to: .serial(0))
      $0.submitted(3, to: .serial(1))
      $0.did(4, .shutDown(isPatient: false))
      $0.ran(.task(3), on: .serial(1), 2)
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 1))
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2, to: .serial(0))
      $0.submitted(3, to: .serial(1))
      $0.did(4, .shutDown(isPatient: false))
      $0.ran(.task(3), on: .serial(1), 2)
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 2))
    },
    Planted("a shutdown gives up a task before its deadline", "L3") {
      $0.submitted(1)
      $0.did(2, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
    } wrong: {
      $0.submitted(1)
      $0.did(2, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0, isInTime: true))
    },
    Planted("a call returns after a shutdown that ran everything, and its task was accepted", "L3") {
      $0.called(1, .submit(.serial(0)))
      $0.did(2, .shutDown(isPatient: true), by: .outside(1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.returned(1, .refusedShutDown)
    } wrong: {
      $0.called(1, .submit(.serial(0)))
      $0.did(2, .shutDown(isPatient: true), by: .outside(1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.returned(1, .accepted)
    },
    Planted("a shutdown puts off a joint handler that was asked for before it", "L3") {
      $0.did(1, .connect(.unixStream))
      $0.did(2, .shutDown(isPatient: true))
      // One that is asked for now may come when all has been drained.
      $0.did(3, .close(connection: 1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.did(1, .connect(.unixStream))
      $0.did(3, .close(connection: 1))
      $0.did(2, .shutDown(isPatient: true))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    },
    Planted("a shutdown counts a joint handler among the tasks that it gives up", "L3") {
      $0.did(1, .connect(.unixStream))
      $0.did(2, .shutDown(isPatient: false))
      $0.did(3, .close(connection: 1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    } wrong: {
      $0.did(1, .connect(.unixStream))
      $0.did(2, .shutDown(isPatient: false))
      $0.did(3, .close(connection: 1))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
    },
    Planted("a joint handler that a shutdown put off never runs", "S7") {
      $0.did(1, .connect(.unixStream))
      $0.did(2, .shutDown(isPatient: true))
      $0.did(3, .close(connection: 1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.ran(.closing(1), on: .global)
      $0.rest()
    } wrong: {
      $0.did(1, .connect(.unixStream))
      $0.did(2, .shutDown(isPatient: true))
      $0.did(3, .close(connection: 1))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.rest()
    },
    Planted("the completion of a retarget that a shutdown put off never comes", "M3") {
      $0.called(1, .retarget(0, .thread(1)))
      $0.did(2, .shutDown(isPatient: true), by: .outside(1))
      $0.returned(1)
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.completed(1, on: .thread(1), 1)
      $0.rest()
    } wrong: {
      $0.called(1, .retarget(0, .thread(1)))
      $0.did(2, .shutDown(isPatient: true), by: .outside(1))
      $0.returned(1)
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.rest()
    },
  ]
}
