@testable import HawtConformance

/// Planted faults of the dispatcher's end, and of its restart.
extension Planted {
  static let ends = [
    Planted("a task is accepted from outside after a shutdown", "L3") {
      $0.did(1, .shutDown(isPatient: false))
      $0.did(2, .submit(.serial(0)), .refusedShutDown)
    } wrong: {
      $0.did(1, .shutDown(isPatient: false))
      $0.submitted(2)
    },
    Planted("running work may not submit", "L3") {
      $0.submitted(1)
      $0.started(.task(1))
      $0.did(2, .shutDown(isPatient: false))
      $0.did(3, .submit(.serial(1)), by: .task(1), .accepted)
    } wrong: {
      $0.submitted(1)
      $0.started(.task(1))
      $0.did(2, .shutDown(isPatient: false))
      $0.did(3, .submit(.serial(1)), by: .task(1), .refusedShutDown)
    },
    Planted("a running dispatcher refuses", "L3") {
      $0.submitted(1)
    } wrong: {
      $0.did(1, .submit(.serial(0)), .refusedShutDown)
    },
    Planted("a shutdown loses a task without a word", "L3") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2, 3)
      $0.did(4, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 2, dropped: 0, stuck: 0))
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2, 3)
      $0.did(4, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
    },
    Planted("a shutdown drops a timer without a word", "L3") {
      $0.did(1, .arm(.serial(0), .never), .accepted)
      $0.did(2, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 1, stuck: 0))
    } wrong: {
      $0.did(1, .arm(.serial(0), .never), .accepted)
      $0.did(2, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
    },
    Planted("a shutdown never reports", "L3") {
      $0.did(1, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.rest()
    } wrong: {
      $0.did(1, .shutDown(isPatient: false))
      $0.rest()
    },
    Planted("a discarded task runs after a restart", "L3") {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.did(5, .resume(.queue(0)))
      $0.rest()
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.submitted(2)
      $0.did(3, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 1, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.did(5, .resume(.queue(0)))
      $0.ran(.task(2))
    },
    Planted("a shutdown swallows a cancel handler", "S7") {
      $0.reading()
      $0.did(1, .suspend(.queue(0)))
      $0.did(2, .cancel(11))
      $0.did(3, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.did(5, .resume(.queue(0)))
      $0.ran(.cancelHandler(11))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .suspend(.queue(0)))
      $0.did(2, .cancel(11))
      $0.did(3, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(4, .restart)
      $0.did(5, .resume(.queue(0)))
      $0.rest()
    },
    Planted("a restart forgets a source", "S1") {
      $0.reading()
      $0.did(1, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.rest()
      $0.did(3, .restart)
      $0.read(.bytes(8))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .shutDown(isPatient: false))
      $0.note(.reported(discarded: 0, dropped: 0, stuck: 0))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.did(3, .restart)
      $0.rest()
    },
    Planted("a stopped dispatcher takes a retarget", "M8") {
      $0.did(1, .shutDown(isPatient: false))
      $0.did(2, .retarget(0, .thread(1)), .threw("stopped"))
    } wrong: {
      $0.did(1, .shutDown(isPatient: false))
      $0.did(2, .retarget(0, .thread(1)))
    },
  ]
}
