import Glibc
import Polling
import Testing

/// T1, T2 and T4 as far as they are the poller's: never early, two clocks, re-arming later costs nothing.
@Suite struct DeadlineTests {
  @Test("T1 a deadline ends a wait, never early", arguments: Subject.all, PollerClock.allCases)
  func neverEarly(_ subject: Subject, _ clock: PollerClock) throws {
    let poller = try subject.makePoller()
    for microseconds in [1, 50, 700, 3_000] as [UInt64] {
      let deadline = clock.now + microseconds * 1_000
      poller.setDeadline(clock, deadline)
      try poller.wait(.untilReady)
      #expect(clock.now >= deadline)
      #expect(poller.ready.isEmpty && !poller.wasWoken)
    }
  }

  @Test(
    "T1 a deadline that has passed does not block", arguments: Subject.all, PollerClock.allCases)
  func passed(_ subject: Subject, _ clock: PollerClock) throws {
    let poller = try subject.makePoller()
    for deadline in [0, 1, clock.now] {
      poller.setDeadline(clock, deadline)
      try poller.wait(.untilReady)
    }
    #expect(poller.waitNumber == 3)
  }

  @Test(
    "T4 a deadline that moves later, or goes, ends no wait", arguments: Subject.all,
    PollerClock.allCases)
  func later(_ subject: Subject, _ clock: PollerClock) throws {
    let poller = try subject.makePoller()
    let start = clock.now
    poller.setDeadline(clock, start + 4_000_000)
    poller.wake()
    try poller.wait(.untilReady)
    #expect(poller.wasWoken)
    poller.setDeadline(clock, start + 12_000_000)
    try poller.wait(.untilReady)
    #expect(clock.now >= start + 12_000_000)
    poller.setDeadline(clock, clock.now + 3_000_000)
    poller.wake()
    try poller.wait(.untilReady)
    poller.setDeadline(clock, nil)
    poller.armAlarm(afterNanoseconds: 8_000_000)
    try poller.wait(.untilReady)
    #expect(poller.alarmRang, "a deadline that was taken back ended the wait")
  }

  @Test("T4 a deadline that comes nearer counts", arguments: Subject.all, PollerClock.allCases)
  func nearer(_ subject: Subject, _ clock: PollerClock) throws {
    let poller = try subject.makePoller()
    poller.setDeadline(clock, .max)
    poller.wake()
    try poller.wait(.untilReady)
    poller.setDeadline(clock, clock.now + 3_600_000_000_000)
    poller.wake()
    try poller.wait(.untilReady)
    let deadline = clock.now + 1_000_000
    poller.setDeadline(clock, deadline)
    try poller.wait(.untilReady)
    #expect(clock.now >= deadline)
  }

  @Test("T2 both clocks count together", arguments: Subject.all)
  func both(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let first = PollerClock.continuous.now + 1_000_000
    let second = PollerClock.suspending.now + 4_000_000
    poller.setDeadline(.continuous, first)
    poller.setDeadline(.suspending, second)
    try poller.wait(.untilReady)
    #expect(PollerClock.continuous.now >= first)
    poller.setDeadline(.continuous, nil)
    try poller.wait(.untilReady)
    #expect(PollerClock.suspending.now >= second)
  }

  @Test("An expired deadline does not make later waits spin", arguments: Subject.all)
  func noSpin(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    poller.setDeadline(.suspending, PollerClock.suspending.now + 100_000)
    try poller.wait(.untilReady)
    poller.setDeadline(.suspending, nil)
    let waits = poller.waitNumber
    poller.armAlarm(afterNanoseconds: 5_000_000)
    try poller.wait(.untilReady)
    #expect(poller.alarmRang)
    #expect(poller.waitNumber <= waits + 2)
  }

  @Test("The alarm rings once, set by any thread", arguments: Subject.all)
  func alarm(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let start = PollerClock.suspending.now
    let thread = Thread {
      while poller.waitNumber == 0 { sched_yield() }
      poller.armAlarm(afterNanoseconds: 2_000_000)
    }
    try poller.wait(.untilReady)
    #expect(poller.alarmRang)
    #expect(PollerClock.suspending.now >= start + 2_000_000)
    thread.join()
    try poller.wait(.now)
    #expect(!poller.alarmRang)
    poller.armAlarm(afterNanoseconds: 0)
    try poller.wait(.untilReady)
    #expect(poller.alarmRang)
  }
}
