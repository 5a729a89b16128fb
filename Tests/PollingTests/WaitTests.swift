import Glibc
import Polling
import Synchronization
import Testing

/// B6 and B7: the waker from anywhere, signals invisible, numbers of waits.
@Suite struct WaitTests {
  @Test("B6 the waker ends a wait from another thread", arguments: Subject.all)
  func waker(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let thread = Thread {
      while poller.waitNumber == 0 { sched_yield() }
      poller.wake()
    }
    try poller.wait(.untilReady)
    #expect(poller.wasWoken)
    #expect(poller.ready.isEmpty)
    #expect(poller.wakeUpCount == 1)
    thread.join()
    try poller.wait(.now)
    #expect(!poller.wasWoken)
  }

  @Test("Q5 wake-ups before a wait are one", arguments: Subject.all)
  func merged(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    poller.wake()
    poller.wake()
    try poller.wait(.untilReady)
    #expect(poller.wasWoken)
    try poller.wait(.now)
    #expect(!poller.wasWoken)
    #expect(poller.wakeUpCount == 1)
  }

  @Test("B6 successive threads may hold the poller", arguments: Subject.all)
  func lease(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let slot = try poller.register(pair.near, interest: .read, context: 1)
    pair.feed()
    let seen = Atomic<Int>(0)
    let near = pair.near
    Thread {
      if (try? poller.harvest(.untilReady)) == [1: .read] { seen.add(1, ordering: .relaxed) }
      poller.unregister(slot)
      _ = try? poller.register(near, interest: .write, context: 2)
    }.join()
    #expect(seen.load(ordering: .relaxed) == 1)
    #expect(try poller.harvest(.untilReady) == [2: .write])
  }

  @Test("B7 a signal is invisible", arguments: Subject.all)
  func interrupted(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let handled = Signals()
    let waiter = Thread {
      handled.acceptHere()
      try? poller.wait(.untilReady)
    }
    while poller.waitNumber == 0 { sched_yield() }
    // Each signal is seen to have been handled before the next; only the last is followed by a reason to return.
    for number in 1...20 {
      waiter.signal(SIGUSR2)
      while handled.count < number { sched_yield() }
    }
    poller.wake()
    waiter.join()
    #expect(poller.wasWoken)
    #expect(poller.waitNumber == 1)
  }

  @Test("B7 a wait that need not block returns at once with nothing", arguments: Subject.all)
  func now(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    #expect(try poller.harvest(.now).isEmpty)
    #expect(poller.waitNumber == 1)
    #expect(!poller.wasWoken)
    #expect(!poller.alarmRang)
  }
}
