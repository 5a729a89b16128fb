@testable import HawtConformance

/// Planted faults of sources.
extension Planted {
  static let sources = [
    Planted("a handler starts after a cancel", "S7") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
      $0.did(2, .cancel(11))
      $0.ran(.cancelHandler(11))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(2, .cancel(11))
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
    },
    Planted("a handler starts after the cancel handler", "S7") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.did(2, .cancel(11))
      // It may have been taken before.
      $0.read(.bytes(8))
      $0.ran(.cancelHandler(11))
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.did(2, .cancel(11))
      $0.ran(.cancelHandler(11))
      $0.read(.bytes(8))
    },
    Planted("the cancel handler comes twice", "S7") {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.ran(.cancelHandler(11))
    } wrong: {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.ran(.cancelHandler(11))
      $0.ran(.cancelHandler(11))
    },
    Planted("the cancel handler comes beside the handler", "S7") {
      $0.did(10, .connect(.unixStream))
      $0.did(11, .makeReader(connection: 10, .global, take: 16))
      $0.did(12, .activate(11))
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.started(.handler(11), on: .global, 0)
      $0.did(2, .cancel(11))
      $0.note(.ended(.handler(11)))
      $0.started(.cancelHandler(11), on: .global, 1)
    } wrong: {
      $0.did(10, .connect(.unixStream))
      $0.did(11, .makeReader(connection: 10, .global, take: 16))
      $0.did(12, .activate(11))
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.started(.handler(11), on: .global, 0)
      $0.did(2, .cancel(11))
      $0.started(.cancelHandler(11), on: .global, 1)
    },
    Planted("the cancel handler comes without a cancel", "S7") {
      $0.reading()
    } wrong: {
      $0.reading()
      $0.ran(.cancelHandler(11))
    },
    Planted("the cancel handler comes while it is registered", "S7") {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.ran(.cancelHandler(11))
    } wrong: {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.ran(.cancelHandler(11)) { $0.note(.breach(.stillRegistered(source: 11))) }
    },
    Planted("the cancel handler never comes", "S7") {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.ran(.cancelHandler(11))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .cancel(11))
      $0.rest()
    },
    Planted("a descriptor is closed before the last cancel handler", "S7") {
      $0.reading()
      $0.did(1, .close(connection: 10))
      $0.ran(.cancelHandler(11))
      $0.ran(.closing(10), on: .global)
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .close(connection: 10))
      $0.ran(.closing(10), on: .global)
    },
    Planted("a handler comes before the activation", "S3") {
      $0.did(10, .connect(.unixStream))
      $0.did(11, .makeReader(connection: 10, .serial(0), take: 16))
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.rest()
    } wrong: {
      $0.did(10, .connect(.unixStream))
      $0.did(11, .makeReader(connection: 10, .serial(0), take: 16))
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
    },
    Planted("a handler of a suspended source starts", "L1") {
      $0.reading()
      $0.did(1, .suspend(.source(11)))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .suspend(.source(11)))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
    },
    Planted("a handler starts while it runs", "S2") {
      $0.reading()
      $0.did(1, .write(connection: 10, 30), .wrote(30))
      $0.read(.bytes(16))
      $0.read(.bytes(14))
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 30), .wrote(30))
      $0.started(.handler(11))
      $0.started(.handler(11), on: .serial(0), 1)
    },
    Planted("a moved source's handler stays behind", "M4") {
      $0.reading()
      $0.did(1, .move(source: 11, .serial(1)))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.ran(.handler(11), on: .serial(1))
    } wrong: {
      $0.reading()
      $0.did(1, .move(source: 11, .serial(1)))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.ran(.handler(11), on: .serial(0))
    },
    Planted("an unpollable descriptor is registered", "S6") {
      $0.did(1, .makeRefused(.file, .serial(0)))
      $0.did(2, .activate(1), .threw("EPERM"))
      $0.ran(.cancelHandler(1))
      $0.rest()
    } wrong: {
      $0.did(1, .makeRefused(.file, .serial(0)))
      $0.did(2, .activate(1))
    },
    Planted("two activations at once, and neither meets the refusal", "S6") {
      $0.did(1, .makeRefused(.file, .serial(0)))
      $0.called(2, .activate(1))
      $0.called(3, .activate(1), by: .outside(1))
      // The later call has tried the registration.
      $0.returned(2)
      $0.returned(3, .threw("EPERM"))
      $0.ran(.cancelHandler(1))
      $0.rest()
    } wrong: {
      $0.did(1, .makeRefused(.file, .serial(0)))
      $0.called(2, .activate(1))
      $0.called(3, .activate(1), by: .outside(1))
      $0.returned(2)
      $0.returned(3)
    },
    Planted("an activation beside a cancel that has ended misses the refusal", "S6") {
      $0.did(1, .makeRefused(.file, .serial(0)))
      $0.called(2, .activate(1))
      $0.called(3, .cancel(1), by: .outside(1))
      $0.returned(2)
      $0.returned(3)
      $0.ran(.cancelHandler(1))
      $0.rest()
    } wrong: {
      $0.did(1, .makeRefused(.file, .serial(0)))
      $0.called(2, .activate(1))
      $0.returned(2)
      $0.did(3, .cancel(1), by: .outside(1))
    },
  ]

  static let readiness = [
    Planted("readiness is lost", "S1") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.rest()
    },
    Planted("what a handler left is not told again", "S1") {
      $0.reading()
      $0.did(1, .write(connection: 10, 20), .wrote(20))
      $0.read(.bytes(16))
      $0.read(.bytes(4))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 20), .wrote(20))
      $0.read(.bytes(16))
      $0.rest()
    },
    Planted("a drained state is told again", "M6") {
      $0.reading()
      $0.called(1, .write(connection: 10, 8))
      $0.read(.bytes(8))
      $0.returned(1, .wrote(8))
    } wrong: {
      $0.reading()
      $0.called(1, .write(connection: 10, 8))
      $0.read(.nothing)
    },
    Planted("a handler comes, and nothing was sent", "S1") {
      $0.reading()
    } wrong: {
      $0.reading()
      $0.read(.nothing)
    },
    Planted("a successor's bytes reach a predecessor", "S8") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(9))
    },
    Planted("a part is read of what is being written at once", "S5") {
      $0.reading()
      $0.called(1, .write(connection: 10, 8))
      $0.read(.bytes(8))
      $0.returned(1, .wrote(8))
    } wrong: {
      $0.reading()
      $0.called(1, .write(connection: 10, 8))
      $0.read(.bytes(7))
      $0.returned(1, .wrote(8))
    },
    Planted("bytes are cut off by the end", "S5") {
      $0.reading()
      $0.did(1, .suspend(.source(11)))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.did(3, .end(connection: 10, .hangUp))
      $0.did(4, .resume(.source(11)))
      $0.read(.bytes(8))
      $0.read(.end)
    } wrong: {
      $0.reading()
      $0.did(1, .suspend(.source(11)))
      $0.did(2, .write(connection: 10, 8), .wrote(8))
      $0.did(3, .end(connection: 10, .hangUp))
      $0.did(4, .resume(.source(11)))
      $0.read(.end)
    },
    Planted("an end is not told", "S1") {
      $0.reading()
      $0.did(1, .end(connection: 10, .halfClose))
      $0.ran(.handler(11)) {
        $0.note(.read(source: 11, atMost: 16, .end))
        $0.did(100, .suspend(.source(11)), by: .handler(11))
      }
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .end(connection: 10, .halfClose))
      $0.rest()
    },
  ]

  static let merging = [
    Planted("an element is lost", "C1") {
      $0.gathering()
      $0.did(1, .merge(into: 20), .accepted)
      $0.took(1)
      $0.rest()
    } wrong: {
      $0.gathering()
      $0.did(1, .merge(into: 20), .accepted)
      $0.rest()
    },
    Planted("an element is delivered twice", "C1") {
      $0.gathering()
      for step in 1...2 { $0.did(step, .merge(into: 20), .accepted) }
      $0.took(1)
      $0.took(2)
    } wrong: {
      $0.gathering()
      for step in 1...2 { $0.did(step, .merge(into: 20), .accepted) }
      $0.took(1)
      $0.took(1, 2)
    },
    Planted("a producer's order is broken", "C3") {
      $0.gathering()
      for step in 1...2 { $0.did(step, .merge(into: 20), .accepted) }
      $0.took(1, 2)
    } wrong: {
      $0.gathering()
      for step in 1...2 { $0.did(step, .merge(into: 20), .accepted) }
      $0.took(2, 1)
    },
    Planted("what waited comes in two deliveries", "C4") {
      $0.gathering()
      $0.did(1, .suspend(.source(20)))
      for step in 2...3 { $0.did(step, .merge(into: 20), .accepted) }
      $0.rest()
      $0.did(4, .resume(.source(20)))
      $0.took(2, 3)
    } wrong: {
      $0.gathering()
      $0.did(1, .suspend(.source(20)))
      for step in 2...3 { $0.did(step, .merge(into: 20), .accepted) }
      $0.rest()
      $0.did(4, .resume(.source(20)))
      $0.took(2)
    },
    Planted("the residue is wrong", "C1") {
      $0.did(20, .makeMerger(.serial(0)))
      for step in 1...2 { $0.did(step, .merge(into: 20), .accepted) }
      $0.did(3, .cancel(20))
      $0.residue(1, 2)
    } wrong: {
      $0.did(20, .makeMerger(.serial(0)))
      for step in 1...2 { $0.did(step, .merge(into: 20), .accepted) }
      $0.did(3, .cancel(20))
      $0.residue(1)
    },
    Planted("an element is accepted that comes too late for the residue", "C1") {
      $0.did(20, .makeMerger(.serial(0)))
      $0.called(1, .merge(into: 20), by: .outside(1))
      $0.did(3, .cancel(20))
      $0.residue()
      $0.returned(1, .refusedCancelled)
    } wrong: {
      $0.did(20, .makeMerger(.serial(0)))
      $0.called(1, .merge(into: 20), by: .outside(1))
      $0.did(3, .cancel(20))
      $0.residue()
      $0.returned(1, .accepted)
    },
    Planted("a cancelled source accepts", "C4") {
      $0.gathering()
      $0.did(1, .cancel(20))
      $0.did(2, .merge(into: 20), .refusedCancelled)
    } wrong: {
      $0.gathering()
      $0.did(1, .cancel(20))
      $0.did(2, .merge(into: 20), .accepted)
    },
  ]
}
