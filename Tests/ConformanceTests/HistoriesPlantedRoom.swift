@testable import HawtConformance

/// Planted faults of room to write, and of numbers that are given away.
extension Planted {
  static let room = [
    Planted("room that a handler has used up is told again", "S1") {
      $0.filling()
      $0.rest()
      $0.did(1, .drain(connection: 10))
      $0.filled(2)
      $0.rest()
    } wrong: {
      $0.filling()
      $0.filled(2)
    },
    Planted("room that the far end has made is not told", "S1") {
      $0.filling()
      $0.did(1, .drain(connection: 10))
      $0.filled(2)
      $0.rest()
    } wrong: {
      $0.filling()
      $0.did(1, .drain(connection: 10))
      $0.rest()
    },
    Planted("room is told where somebody has filled it, and not only once", "S1") {
      $0.did(10, .connect(.unixStream))
      $0.did(11, .makeWriter(connection: 10, .serial(0), fills: false))
      $0.did(12, .activate(11))
      $0.did(1, .fill(connection: 10))
      // It was on its way.
      $0.ran(.handler(11))
      $0.rest()
    } wrong: {
      $0.did(10, .connect(.unixStream))
      $0.did(11, .makeWriter(connection: 10, .serial(0), fills: false))
      $0.did(12, .activate(11))
      $0.did(1, .fill(connection: 10))
      for _ in 1...2 { $0.ran(.handler(11)) }
    },
    Planted("a drain meets a fill, so there may be room; the next drain makes it sure", "S1") {
      $0.filling()
      $0.called(1, .drain(connection: 10))
      $0.started(.handler(11))
      $0.called(2, .fill(connection: 10), by: .handler(11))
      $0.returned(1)
      $0.returned(2)
      $0.note(.ended(.handler(11)))
      $0.rest()
      $0.did(3, .drain(connection: 10))
      $0.filled(4)
      $0.rest()
    } wrong: {
      $0.filling()
      $0.called(1, .drain(connection: 10))
      $0.started(.handler(11))
      $0.called(2, .fill(connection: 10), by: .handler(11))
      $0.returned(1)
      $0.returned(2)
      $0.note(.ended(.handler(11)))
      $0.did(3, .drain(connection: 10))
      $0.rest()
    },
    Planted("a full connection is closed at its far end, and nobody is told", "S1") {
      $0.filling()
      $0.did(1, .end(connection: 10, .hangUp))
      $0.ran(.handler(11)) {
        $0.did(2, .fill(connection: 10), by: .handler(11), .threw("EPIPE"))
        $0.did(3, .suspend(.source(11)), by: .handler(11))
      }
      $0.rest()
    } wrong: {
      $0.filling()
      $0.did(1, .end(connection: 10, .hangUp))
      $0.rest()
    },
    Planted("a connection breaks whose far end stays", "S5") {
      $0.filling()
    } wrong: {
      $0.filling()
      $0.did(1, .drain(connection: 10))
      $0.ran(.handler(11)) { $0.did(2, .fill(connection: 10), by: .handler(11), .threw("EPIPE")) }
    },
    Planted("a reader meets an error, though the far end had read everything", "S5") {
      $0.filling()
      $0.did(13, .makeReader(connection: 10, .serial(1), take: 16))
      $0.did(14, .activate(13))
      $0.did(1, .end(connection: 10, .hangUp))
      $0.ran(.handler(13), on: .serial(1)) { $0.note(.read(source: 13, atMost: 16, .failed(104))) }
    } wrong: {
      $0.filling()
      $0.did(13, .makeReader(connection: 10, .serial(1), take: 16))
      $0.did(14, .activate(13))
      $0.did(2, .suspend(.source(11)))
      $0.did(3, .drain(connection: 10))
      $0.did(1, .end(connection: 10, .hangUp))
      $0.ran(.handler(13), on: .serial(1)) { $0.note(.read(source: 13, atMost: 16, .failed(104))) }
    },
  ]

  static let numbers = [
    Planted("a source is told of its number's next connection", "S7") {
      $0.reading()
      $0.did(1, .replace(connection: 10, keepsDuplicate: false, .cancelledAfter))
      $0.ran(.cancelHandler(11))
      $0.did(2, .write(connection: 1, 8), .wrote(8))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .replace(connection: 10, keepsDuplicate: false, .cancelledAfter))
      $0.did(2, .write(connection: 1, 8), .wrote(8))
      $0.read(.gone)
    },
    Planted("a handler that was about to start finds its number gone; one that runs later cannot", "S7") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.did(2, .replace(connection: 10, keepsDuplicate: true, .cancelledBefore))
      $0.read(.gone)
      $0.ran(.cancelHandler(11))
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.did(2, .replace(connection: 10, keepsDuplicate: true, .cancelledBefore))
      $0.read(.gone)
      $0.read(.gone)
    },
    Planted("a source that moves is told of its number's next connection, but only until it is cancelled", "S7") {
      $0.filling()
      $0.called(1, .replace(connection: 10, keepsDuplicate: true, .cancelledAfter))
      $0.did(2, .retarget(0, .thread(1)), by: .outside(1))
      $0.completed(2, on: .thread(1), 1)
      $0.ran(.handler(11), on: .serial(0), 1) {
        $0.did(3, .fill(connection: 10), by: .handler(11), .threw("gone"))
        $0.did(4, .suspend(.source(11)), by: .handler(11))
      }
      $0.returned(1)
      $0.ran(.cancelHandler(11), on: .serial(0), 1)
      $0.rest()
    } wrong: {
      $0.filling()
      $0.called(1, .replace(connection: 10, keepsDuplicate: true, .cancelledAfter))
      $0.did(2, .retarget(0, .thread(1)), by: .outside(1))
      $0.completed(2, on: .thread(1), 1)
      $0.returned(1)
      $0.ran(.cancelHandler(11), on: .serial(0), 1)
      $0.ran(.handler(11), on: .serial(0), 1)
    },
    Planted("a number is gone that nobody took", "S8") {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.bytes(8))
    } wrong: {
      $0.reading()
      $0.did(1, .write(connection: 10, 8), .wrote(8))
      $0.read(.gone)
    },
    Planted("a new connection is not told, whose number was another's", "S1") {
      $0.reading()
      $0.did(1, .replace(connection: 10, keepsDuplicate: true, .cancelledBefore))
      $0.did(2, .makeReader(connection: 1, .serial(1), take: 16))
      $0.did(3, .activate(2))
      $0.ran(.cancelHandler(11))
      $0.did(4, .write(connection: 1, 8), .wrote(8))
      $0.ran(.handler(2), on: .serial(1)) { $0.note(.read(source: 2, atMost: 16, .bytes(8))) }
      $0.rest()
    } wrong: {
      $0.reading()
      $0.did(1, .replace(connection: 10, keepsDuplicate: true, .cancelledBefore))
      $0.did(2, .makeReader(connection: 1, .serial(1), take: 16))
      $0.did(3, .activate(2))
      $0.ran(.cancelHandler(11))
      $0.did(4, .write(connection: 1, 8), .wrote(8))
      $0.rest()
    },
  ]
}
