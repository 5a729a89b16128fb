import Glibc
import Polling
import Testing

/// S8: a number that was closed and used again never receives its predecessor's event.
@Suite struct ReuseTests {
  @Test(
    "S8 a report is void once its registration is taken out, within the batch too",
    arguments: Subject.all)
  func withinBatch(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let fresh = Pair.socket()
    pair.feed()
    let slot = try poller.register(pair.near, interest: .read, context: 1)
    try poller.wait(.now)
    #expect(poller.ready.count == 1)
    poller.unregister(slot)
    let number = pair.near
    dup2(fresh.near, number)
    let successor = try poller.register(number, interest: .read, context: 2)
    #expect(successor == slot)
    #expect(poller.ready[0].readiness.isEmpty)
    #expect(try poller.harvest().isEmpty)
  }

  @Test(
    "S8 cancelled after the close, with a duplicate alive: nobody hears of it",
    arguments: Subject.all)
  func unregisterAfterClose(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let doomed = Numbers.move(dup(pair.near))
    let witness = Pair.pipe()
    _ = try poller.register(witness.near, interest: .read, context: 9)
    let slot = try poller.register(doomed, interest: [.read, .write], context: 1)
    pair.feed()
    close(doomed)
    poller.unregister(slot)
    #expect(try poller.harvest().isEmpty)
    #expect(poller.rebuildCount == 1)
    witness.feed()
    #expect(try poller.harvest(.untilReady) == [9: .read])
    #expect(poller.rebuildCount == 1)
    #expect(poller.registrationCount == 1)
    #expect(poller.armedDirectionCount == 1)
  }

  @Test(
    "S8 number reused before the cancel, duplicate alive: the successor is told its own",
    arguments: Subject.all)
  func unregisterAfterReuse(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let old = Pair.socket()
    let new = Pair.socket()
    let number = Numbers.copy(old.near)
    let slot = try poller.register(number, interest: .read, context: 1)
    dup2(new.near, number)
    poller.unregister(slot)
    try expectSuccession(on: number, from: old, to: new, poller)
    #expect(poller.takeFailures().isEmpty)
    close(number)
  }

  @Test("S8 the same with descriptors whose identity cannot be proved", arguments: Subject.all)
  func unprovable(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let old = Numbers.move(eventfd(0))
    let new = Numbers.move(eventfd(0))
    let number = Numbers.copy(old)
    let slot = try poller.register(number, interest: .read, context: 1)
    dup2(new, number)
    poller.unregister(slot)
    _ = try poller.register(number, interest: .read, context: 2)
    signal(old)
    for _ in 0..<3 { #expect(try poller.harvest().isEmpty) }
    let rebuilds = poller.rebuildCount
    poller.wake()
    #expect(try poller.harvest(.untilReady).isEmpty)
    #expect(poller.rebuildCount == rebuilds, "the old file still reports")
    signal(new)
    #expect(try poller.harvest(.untilReady) == [2: .read])
    for item in [old, new, number] { close(item) }
  }

  @Test(
    "S8 number reused while the kernel is told of a change, duplicate alive: the successor is told its own",
    arguments: Subject.all, [[], [.write], [.read, .write]] as [Interest])
  func reuseDuringChange(_ subject: Subject, _ wanted: Interest) throws {
    let poller = try subject.makeMeddledPoller()
    let old = Pair.socket()
    let new = Pair.socket()
    let number = Numbers.copy(old.near)
    let successor = new.near
    let slot = try poller.register(number, interest: .read, context: 1)
    poller.setInterest(slot, wanted)
    Meddler.plan(for: number) { dup2(successor, number) }
    _ = try poller.harvest()
    // What was to leave the set anyway has lost nothing that it would be told of.
    #expect(poller.takeFailures().map(\.error.code) == (wanted.isEmpty ? [] : [ENOENT]))
    poller.unregister(slot)
    try expectSuccession(on: number, from: old, to: new, poller)
    close(number)
  }

  @Test(
    "S8 number reused while an empty interest is tried out, duplicate alive: the successor is told its own",
    arguments: Subject.all)
  func reuseDuringTrial(_ subject: Subject) throws {
    let poller = try subject.makeMeddledPoller()
    let old = Pair.socket()
    let new = Pair.socket()
    let number = Numbers.copy(old.near)
    let successor = new.near
    Meddler.plan(for: number) { dup2(successor, number) }
    let slot = try poller.register(number, interest: [], context: 1)
    poller.unregister(slot)
    try expectSuccession(on: number, from: old, to: new, poller)
    close(number)
  }

  @Test("S8 a joining source finds the number reused without a cancel", arguments: Subject.all)
  func revalidateAfterReuse(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let old = Pair.socket()
    let new = Pair.socket()
    let number = Numbers.copy(old.near)
    let slot = try poller.register(number, interest: .read, context: 1)
    dup2(new.near, number)
    old.feed()
    try poller.revalidate(slot)
    #expect(try poller.harvest().isEmpty)
    new.feed()
    #expect(try poller.harvest(.untilReady) == [1: .read])
    old.drain()
    new.drain()
    old.feed()
    #expect(try poller.harvest().isEmpty)
    #expect(poller.armedDirectionCount == 1)
    close(number)
  }

  @Test("S8 joining the same file costs no change, whether its inode is its own or not", arguments: Subject.all)
  func revalidateSame(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let socket = Pair.socket()
    let pipe = Pair.pipe()
    let event = Numbers.move(eventfd(1))
    pipe.feed()
    socket.feed()
    for descriptor in [socket.near, pipe.near, event] {
      let slot = try poller.register(descriptor, interest: .read, context: 1)
      try poller.wait(.now)
      #expect(poller.ready.count == 1)
      try poller.revalidate(slot)
      #expect(poller.ready[0].readiness == .read)
      #expect(try poller.harvest() == [1: .read])
      poller.unregister(slot)
    }
    #expect(poller.rebuildCount == 0)
    close(event)
  }

  @Test(
    "S8 a file that lost its number is not taken for its successor when it gets the number back",
    arguments: Subject.all, [true, false])
  func numberComesBack(_ subject: Subject, _ isJoined: Bool) throws {
    let poller = try subject.makePoller()
    let first = Numbers.move(eventfd(0))
    let second = Numbers.move(eventfd(0))
    let number = Numbers.copy(first)
    var slot = try poller.register(number, interest: .read, context: 1)
    if isJoined {
      dup2(second, number)
      try poller.revalidate(slot)
    } else {
      poller.unregister(slot)
      dup2(second, number)
      slot = try poller.register(number, interest: .read, context: 1)
    }
    #expect(try poller.harvest().isEmpty)
    #expect(poller.mismatch(of: slot) == nil)
    dup2(first, number)
    #expect(poller.mismatch(of: slot)?.code == ENOENT)
    poller.unregister(slot)
    for item in [first, second, number] { close(item) }
  }

  @Test("S8 joining a descriptor that is closed is refused", arguments: Subject.all)
  func revalidateClosed(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let number = Numbers.move(eventfd(1))
    let slot = try poller.register(number, interest: .read, context: 1)
    close(number)
    #expect(throws: BackendError(.add, descriptor: number, code: EBADF)) {
      try poller.revalidate(slot)
    }
    poller.unregister(slot)
  }

  @Test("S8 an eventfd that is taken out and comes again costs no rebuild", arguments: Subject.all)
  func eventfdComesAndGoes(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let number = Numbers.move(eventfd(1))
    for interest in [.read, [], .read] as [Interest] {
      let slot = try poller.register(number, interest: interest, context: 1)
      #expect(try poller.harvest() == (interest.isEmpty ? [:] : [1: .read]))
      poller.setInterest(slot, [])
      #expect(try poller.harvest().isEmpty)
      poller.unregister(slot)
    }
    #expect(poller.rebuildCount == 0)
    close(number)
  }

  @Test(
    "S8 disarmed after the close, with a duplicate alive: a wait still sleeps",
    arguments: Subject.all)
  func disarmAfterClose(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let doomed = Numbers.copy(pair.near)
    let slot = try poller.register(doomed, interest: [.read, .write], context: 1)
    close(doomed)
    poller.setInterest(slot, [])
    #expect(try poller.harvest().isEmpty)
    #expect(poller.rebuildCount == 1)
    #expect(poller.takeFailures().isEmpty)
    let waits = poller.waitNumber
    poller.setDeadline(.suspending, PollerClock.suspending.now + 5_000_000)
    #expect(try poller.harvest(.untilReady).isEmpty)
    #expect(poller.waitNumber == waits + 1)
    poller.unregister(slot)
  }

  @Test(
    "S8 disarmed after the reuse, with a duplicate alive and ready: a wait still sleeps",
    arguments: Subject.all, ["socket", "eventfd"])
  func disarmAfterReuse(_ subject: Subject, _ kind: String) throws {
    let poller = try subject.makePoller()
    let first = Pair.socket()
    let second = Pair.socket()
    let isSocket = kind == "socket"
    let old = isSocket ? Numbers.copy(first.near) : Numbers.move(eventfd(0))
    let new = isSocket ? Numbers.copy(second.near) : Numbers.move(eventfd(0))
    let number = Numbers.copy(old)
    let slot = try poller.register(number, interest: .read, context: 1)
    dup2(new, number)
    if isSocket { first.feed() } else { signal(old) }
    poller.setInterest(slot, [])
    #expect(try poller.harvest().isEmpty)
    try expectSleep(poller)
    poller.unregister(slot)
    try expectSleep(poller)
    for item in [old, new, number] { close(item) }
  }

  @Test(
    "S8 no room for another set: what cannot be got rid of keeps no processor busy, and the others are served",
    arguments: Subject.all)
  func noRoomToRebuild(_ subject: Subject) throws {
    let poller = try subject.makeMeddledPoller()
    let old = Pair.socket()
    let pair = Pair.pipe()
    let number = Numbers.copy(old.near)
    _ = try poller.register(pair.near, interest: .read, context: 2)
    let slot = try poller.register(number, interest: .read, context: 1)
    close(number)
    old.feed()
    poller.unregister(slot)
    try Meddler.$hasNoRoom.withValue(true) {
      try expectSleep(poller)
      pair.feed()
      #expect(try poller.harvest(.untilReady) == [2: .read])
      pair.drain()
      try expectSleep(poller)
      #expect(poller.rebuildCount == 0)
    }
    try expectSleep(poller)
    #expect(poller.rebuildCount == 1)
  }

  @Test("S8 a rebuild tells who else was closed, and keeps the others", arguments: Subject.all)
  func rebuildFailure(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let first = Numbers.move(eventfd(0))
    let second = Numbers.move(eventfd(0))
    let pair = Pair.pipe()
    let slot = try poller.register(first, interest: .read, context: 1)
    let other = try poller.register(second, interest: .read, context: 2)
    _ = try poller.register(pair.near, interest: .read, context: 3)
    close(first)
    close(second)
    poller.unregister(slot)
    pair.feed()
    #expect(try poller.harvest() == [3: .read])
    let failures = poller.takeFailures()
    #expect(failures.map(\.slot) == [other])
    #expect(failures.first?.error == BackendError(.change, descriptor: second, code: EBADF))
    poller.unregister(other)
    #expect(try poller.harvest() == [3: .read])
  }

  @Test("S8 armed when the number stands for what cannot be polled: the error is of the reuse", arguments: Subject.all)
  func armAfterReuse(_ subject: Subject) throws {
    let poller = try subject.makePoller()
    let pair = Pair.socket()
    let number = Numbers.copy(pair.near)
    let slot = try poller.register(number, interest: [], context: 1)
    let directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    dup2(directory, number)
    poller.setInterest(slot, .read)
    #expect(try poller.harvest().isEmpty)
    #expect(poller.takeFailures().map(\.error) == [BackendError(.change, descriptor: number, code: ENOENT)])
    poller.unregister(slot)
    for item in [directory, number] { close(item) }
  }

  /// A wait that nothing ends but its deadline: the thread sleeps meanwhile. A poller that is busy takes all the time that
  /// the system gives it.
  private func expectSleep(_ poller: Poller) throws {
    poller.setDeadline(.suspending, PollerClock.suspending.now + 60_000_000)
    let before = threadTime()
    #expect(try poller.harvest(.untilReady).isEmpty)
    let used = threadTime() - before
    #expect(used < 10_000_000, "60 ms of sleep took \(used) ns of the processor")
    poller.setDeadline(.suspending, nil)
  }

  private func threadTime() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }

  /// Registers a number's next file: it is told its own, and nothing of the file before.
  private func expectSuccession(
    on number: CInt, from old: borrowing Pair, to new: borrowing Pair, _ poller: Poller
  ) throws {
    _ = try poller.register(number, interest: .read, context: 2)
    old.feed()
    #expect(try poller.harvest().isEmpty)
    new.feed()
    #expect(try poller.harvest(.untilReady) == [2: .read])
  }
}
