import HawtDispatch
import Polling

extension Rule {
  /// B6: who touches a poller.
  static let b6 = Rule(
    "B6",
    "One thread at a time: only who holds the poller's lease touches poller, slots and timers; the waker alone is legal from "
      + "anywhere, and is merged.",
    why: "Backends need no locks, and libevent's has none; a second thread inside one is memory corruption.",
    whereToLook: ["Sources/HawtDispatch (lease)", "Sources/Polling/Poller/Poller.swift"],
    checks: [
      Check("a backend works under several threads in succession", threadsInSuccession),
      Check("wakes from everywhere end one wait", wakesAreMerged),
      Check("no two threads in one backend, whatever goes on", noTwoThreads),
    ])
}

private func noTwoThreads(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench(workers: 3)
  let targets = try bench.targets().map(\.queue) + bench.dispatcher.threadQueues
  let rounds = context.scaled(400, minimum: 40)
  let events = Tally()
  let timers = Tally()
  try context.onThreads(4) { index, random in
    for round in 0..<rounds {
      if index == 0 {
        // Workers that are stuck have others harvest for them, and cancels and retargets take their leases.
        if round % 10 == 0 { random.pick(targets).async { spin(.milliseconds(3)) } }
        random.pick(targets).asyncAfter(.microseconds(random.below(2_000))) { timers.add() }
        context.pause(.microseconds(500))
        continue
      }
      let ends = try Ends.unixStream()
      let source = bench.dispatcher.makeReadinessSource(
        ends.near.number, interest: random.oneIn(2) ? .read : [.read, .write], target: random.pick(targets)
      ) { _ in
        events.add()
        ends.near.receiveAll()
      }
      source.setCancelHandler { ends.near.close() }
      try source.activate()
      ends.far.send([1])
      if random.oneIn(2) { try source.setTarget(random.pick(targets)) }
      if random.oneIn(3) { context.pause(.microseconds(random.below(300))) }
      source.cancel()
    }
  }
  try context.eventually("all timers have run", { timers.value == rounds })
  try bench.settle()
  for queue in targets { try context.drain(queue) }
  // A breach fails the check at its end.
  context.record("calls watched", observer.calls.count)
  context.record("events", events.value)
}

private func wakesAreMerged(_ context: CheckContext) throws {
  let (poller, _) = try observedPoller(context)
  for round in 0..<20 {
    let isWaiting = round % 2 == 0
    let ready = context.latch()
    let woken = context.latch()
    let waits = Tally()
    // The waiting thread holds the poller; the others only wake it.
    let waiter = Thread {
      ready.signal()
      if !isWaiting { _ = woken.wait(atMost: .seconds(60)) }
      repeat {
        do { try poller.wait(.untilReady) } catch { context.fail("a wait failed: \(error)") }
        waits.add()
      } while !poller.wasWoken && waits.value < 10
      do { try poller.wait(.now) } catch { context.fail("a wait failed: \(error)") }
    }
    try ready.wait(for: "a waiting thread")
    try context.onThreads(1) { _, _ in
      for _ in 0..<50 { poller.wake() }
    }
    woken.signal()
    waiter.join()
    if !isWaiting {
      context.expect(waits.value == 1, "50 wakes before a wait took \(waits.value) waits to be told")
      context.expect(!poller.wasWoken, "50 wakes before a wait were told to the next wait, too")
    }
    // What came after the wait had ended is told by the next, and by no third.
    for _ in 0..<2 { try poller.wait(.now) }
    context.expect(!poller.wasWoken, "wakes are told again and again")
    context.record("wakes", 50)
  }
}

private func threadsInSuccession(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let backend = raw.backend
  let ends = try raw.ends()
  let token = Polling.Token(slot: 40, generation: 2)
  let steps: [@Sendable () throws -> Void] = [
    { try backend.add(ends.near.number, token, .read) },
    { ends.far.send([1]) },
    { context.expect(try backend.wait(.untilReady).contains { $0.token == token }, "not told on another thread") },
    { try backend.change(ends.near.number, token, from: .read, to: [.read, .write]) },
    {
      let found = try backend.wait(.now).first { $0.token == token }
      context.expect(
        found?.readiness == [.read, .write], "after a change on another thread, told \(String(describing: found))")
    },
    { backend.remove(ends.near.number, token, from: [.read, .write]) },
    { context.expect(try backend.wait(.now).isEmpty, "reported after its removal on another thread") },
  ]
  for _ in 0..<20 {
    for step in steps {
      try context.onThreads(1) { _, _ in try step() }
      context.record("calls on a thread of their own")
    }
    ends.near.receiveAll()
  }
}
