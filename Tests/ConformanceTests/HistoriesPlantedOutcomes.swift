@testable import HawtConformance

/// Planted faults of calls that come to something else than they may.
extension Planted {
  static let outcomes = [
    Planted("a suspend fails", "L1") {
      $0.did(1, .suspend(.queue(0)))
    } wrong: {
      $0.did(1, .suspend(.queue(0)), .threw("stopped"))
    },
    Planted("a resume fails", "L1") {
      $0.did(1, .suspend(.queue(0)))
      $0.did(2, .resume(.queue(0)))
    } wrong: {
      $0.did(1, .suspend(.queue(0)))
      $0.did(2, .resume(.queue(0)), .threw("stopped"))
    },
    Planted("a second cancel fails", "S7") {
      $0.reading()
      for step in 1...2 { $0.did(step, .cancel(11)) }
    } wrong: {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.did(2, .cancel(11), .threw("cancelled"))
    },
    Planted("a shutdown fails", "L3") {
      $0.did(1, .shutDown(isPatient: true))
    } wrong: {
      $0.did(1, .shutDown(isPatient: true), .threw("running"))
    },
    Planted("a connection is not made", "S6") {
      $0.did(1, .connect(.unixStream))
    } wrong: {
      $0.did(1, .connect(.unixStream), .threw("CheckFailure"))
    },
    Planted("a peer's bytes are not taken", "S5") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .threw("EPIPE"))
    },
    Planted("a joint handler runs on another queue", "S7") {
      $0.reading()
      $0.did(1, .close(connection: 10))
      $0.ran(.cancelHandler(11))
      $0.ran(.closing(10), on: .global)
    } wrong: {
      $0.reading()
      $0.did(1, .close(connection: 10))
      $0.ran(.cancelHandler(11))
      $0.ran(.closing(10), on: .serial(0))
    },
    Planted("a handler was given elements, and does not say which", "C1") {
      $0.gathering()
      $0.did(1, .merge(into: 20), .accepted)
      $0.took(1)
    } wrong: {
      $0.gathering()
      $0.did(1, .merge(into: 20), .accepted)
      $0.ran(.handler(20))
    },
  ]
}
