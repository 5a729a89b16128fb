import Glibc
import Polling
import Testing

/// B2 and B4: an empty interest leaves the kernel's set; changes are noted, and flushed on the way into a wait.
@Suite struct InterestTests {
  @Test("B2 an empty interest reports nothing, not even a hang-up", arguments: Subject.all)
  func empty(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let slot = try poller.register(pair.near, interest: [.read, .write], context: 1)
    poller.setInterest(slot, [])
    shutdown(pair.far, CInt(SHUT_RDWR))
    #expect(try poller.harvest().isEmpty)
    #expect(poller.armedDirectionCount == 0)
    poller.wake()
    #expect(try poller.harvest(.untilReady).isEmpty)
    #expect(poller.rebuildCount == 0, "the kernel reported what nobody asked for")
    poller.setInterest(slot, .read)
    #expect(try poller.harvest(.untilReady) == [1: .read])
  }

  @Test("B2 a registration may begin with an empty interest", arguments: Subject.all)
  func beginsEmpty(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.pipe()
    pair.feed()
    let slot = try poller.register(pair.near, interest: [], context: 1)
    #expect(poller.armedDirectionCount == 0)
    #expect(try poller.harvest().isEmpty)
    poller.setInterest(slot, .read)
    #expect(try poller.harvest() == [1: .read])
    #expect(poller.armedDirectionCount == 1)
  }

  @Test("B4 arming and disarming between waits costs nothing", arguments: Subject.all)
  func pairs(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.pipe()
    let slot = try poller.register(pair.near, interest: .read, context: 1)
    for _ in 0..<100 {
      poller.setInterest(slot, [])
      poller.setInterest(slot, .read)
      _ = try poller.harvest()
    }
    #expect(poller.changeCount == 0)
    poller.setInterest(slot, [])
    _ = try poller.harvest()
    #expect(poller.changeCount == 1)
  }

  @Test("B4 a change of any interest into any other is right", arguments: Subject.all)
  func allChanges(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    pair.feed()
    let slot = try poller.register(pair.near, interest: .read, context: 1)
    let interests: [Interest] = [[], .read, .write, [.read, .write]]
    for old in interests {
      for new in interests {
        poller.setInterest(slot, old)
        _ = try poller.harvest()
        poller.setInterest(slot, new)
        #expect(try poller.harvest() == (new.isEmpty ? [:] : [1: new]), "\(old) to \(new)")
        #expect(poller.armedDirectionCount == new.rawValue.nonzeroBitCount)
      }
    }
    #expect(poller.rebuildCount == 0)
  }

  @Test("B4 unregistering voids a noted change", arguments: Subject.all)
  func voided(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.pipe()
    pair.feed()
    let slot = try poller.register(pair.near, interest: [], context: 1)
    poller.setInterest(slot, .read)
    poller.unregister(slot)
    #expect(try poller.harvest().isEmpty)
    let again = try poller.register(pair.near, interest: [], context: 2)
    #expect(again == slot)
    poller.setInterest(again, .read)
    #expect(try poller.harvest() == [2: .read])
    #expect(poller.registrationCount == 1)
  }

  @Test("S6 a change that is refused hurts nobody else and is told", arguments: Subject.onEpoll)
  func failure(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let closed = Numbers.move(eventfd(1))
    let pair = Pair.pipe()
    pair.feed()
    let slot = try poller.register(closed, interest: .read, context: 1)
    let other = try poller.register(pair.near, interest: [], context: 2)
    close(closed)
    poller.setInterest(slot, [.read, .write])
    poller.setInterest(other, .read)
    #expect(try poller.harvest(.untilReady) == [2: .read])
    let failures = poller.takeFailures()
    #expect(failures.map(\.context) == [1])
    #expect(failures.first?.error == BackendError(.change, descriptor: closed, code: EBADF))
    #expect(!poller.hasFailures)
    poller.unregister(slot)
    #expect(try poller.harvest() == [2: .read])
  }

  @Test("S6 a wait does not block on a failure nobody has seen", arguments: Subject.all)
  func failureEndsWait(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let closed = Numbers.move(eventfd(0))
    let slot = try poller.register(closed, interest: [], context: 1)
    close(closed)
    poller.setInterest(slot, .read)
    #expect(try poller.harvest(.untilReady).isEmpty)
    #expect(poller.takeFailures().map(\.error.code) == [EBADF])
  }
}
