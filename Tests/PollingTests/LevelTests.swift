import Glibc
import Polling
import Testing

/// B1: level-triggered, two directions; errors and hang-ups are both, cut down to what was asked.
@Suite struct LevelTests {
  @Test("B1 readiness from before the registration is reported", arguments: Subject.all)
  func readyBefore(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    pair.feed()
    _ = try poller.register(pair.near, interest: .read, context: 1)
    #expect(try poller.harvest(.untilReady) == [1: .read])
  }

  @Test("B1 undrained readiness is reported again, drained is not", arguments: Subject.all)
  func level(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.pipe()
    _ = try poller.register(pair.near, interest: .read, context: 1)
    #expect(try poller.harvest().isEmpty)
    pair.feed()
    #expect(try poller.harvest() == [1: .read])
    #expect(try poller.harvest() == [1: .read])
    pair.drain()
    #expect(try poller.harvest().isEmpty)
  }

  @Test("B1 only what was asked is reported", arguments: Subject.all)
  func directions(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let slot = try poller.register(pair.near, interest: [.read, .write], context: 1)
    #expect(try poller.harvest() == [1: .write])
    pair.feed()
    #expect(try poller.harvest() == [1: [.read, .write]])
    poller.setInterest(slot, .read)
    #expect(try poller.harvest() == [1: .read])
    poller.setInterest(slot, .write)
    #expect(try poller.harvest() == [1: .write])
    Pair.fill(pair.near)
    #expect(try poller.harvest().isEmpty)
  }

  @Test(
    "B1 a hang-up is readiness of what was asked", arguments: Subject.all,
    [Interest.read, .write, [.read, .write]])
  func hangUp(_ subject: Subject, _ interest: Interest) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    _ = try poller.register(pair.near, interest: interest, context: 1)
    Pair.fill(pair.near)
    shutdown(pair.far, CInt(SHUT_RDWR))
    #expect(try poller.harvest() == [1: interest])
    #expect(try poller.harvest() == [1: interest])
    #expect(poller.rebuildCount == 0)
  }

  @Test("B1 a pipe without a writer is readable, without a reader writable", arguments: Subject.all)
  func pipes(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let one = Pair.pipe()
    let other = Pair.pipe()
    Pair.fill(other.far)
    _ = try poller.register(one.near, interest: .read, context: 1)
    _ = try poller.register(other.far, interest: .write, context: 2)
    #expect(try poller.harvest().isEmpty)
    close(one.far)
    close(other.near)
    #expect(try poller.harvest() == [1: .read, 2: .write])
  }

  @Test("B5 a descriptor stands in a wait's result at most once", arguments: Subject.all)
  func once(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    pair.feed()
    _ = try poller.register(pair.near, interest: [.read, .write], context: 1)
    try poller.wait(.now)
    #expect(poller.ready.count == 1)
  }

  @Test("B1 more ready descriptors than a wait takes all get their turn", arguments: Subject.all)
  func turns(_ subject: Subject) throws {
    let poller = try subject.makePoller(eventsPerWait: 8)
    var seen = Set<UInt>()
    let descriptors = (0..<50).map { _ in Numbers.move(eventfd(1)) }
    for (number, descriptor) in descriptors.enumerated() {
      _ = try poller.register(descriptor, interest: .read, context: UInt(number))
    }
    var waits = 0
    while seen.count < 50 && waits < 1_000 {
      seen.formUnion(try poller.harvest().keys)
      #expect(poller.ready.count <= 8)
      waits += 1
    }
    #expect(seen.count == 50)
    for item in descriptors { close(item) }
  }
}
