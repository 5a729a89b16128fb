import Glibc
import HawtDispatch
import Polling
import Synchronization

extension Rule {
  /// B7: signals and sleeps.
  static let b7 = Rule(
    "B7", "EINTR is invisible; a wait without deadline returns only with something.",
    why: "A profiler's or a debugger's signals would otherwise end waits at random, and a loop that does not expect it "
      + "spins or stops.",
    whereToLook: ["your backend's wait(_:into:)", "Sources/Polling/Poller/Poller+Wait.swift"],
    checks: [
      Check("signals while a wait sleeps, and while a dispatcher works") {
        try $0.expectSuccess(of: "a storm of signals")
      },
      Check("an echo server and timers while the workers are signalled without a pause") {
        try $0.expectSuccess(of: "traffic among signals")
      },
      Check("a wait that need not sleep returns at once, with nothing", waitNow),
      Check("a wait that may sleep returns with something", waitUntilReady),
    ],
    scenarios: [
      Scenario("a storm of signals", stormOfSignals),
      Scenario("traffic among signals", stormOnTraffic),
    ])
}

/// How many signals the storm's handler has seen.
private let signalsSeen = Atomic<Int>(0)

/// Installs a handler without SA_RESTART, so that every system call that can be interrupted is.
private func countSignals(_ signal: CInt) {
  var action = sigaction()
  action.__sigaction_handler.sa_handler = { _ in signalsSeen.add(1, ordering: .relaxed) }
  sigaction(signal, &action, nil)
}

private func stormOfSignals(_ context: CheckContext) throws {
  countSignals(SIGUSR1)
  try stormOnAWait(context)
  try stormOnADispatcher(context)
  context.record("signals", signalsSeen.load(ordering: .relaxed))
}

private func stormOnAWait(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let bell = raw.bell
  let backend = raw.backend
  for _ in 0..<20 {
    let waiting = Shared<UInt?>(nil)
    let returned = Tally()
    let found = context.recorder(of: Int.self)
    let waiter = Thread {
      waiting.with { $0 = Process.currentThread }
      do { found.append(try backend.wait(.untilReady).count) } catch {
        context.fail("an interrupted wait threw \(error)")
      }
      returned.set(1)
      // It must not end before it is known that nobody signals it any more.
      _ = waiting.wait(atMost: .seconds(60)) { $0 == nil }
    }
    _ = waiting.wait(atMost: .seconds(60)) { $0 != nil }
    guard let thread = waiting.with({ $0 }) else { throw CheckFailure("no waiting thread") }
    for _ in 0..<50 {
      pthread_kill(pthread_t(thread), SIGUSR1)
      context.pause(.microseconds(100))
    }
    context.expect(returned.value == 0, "signals ended a wait that had nothing to report")
    bell.ring()
    try context.eventually("the wait returns when something is ready", { returned.value == 1 })
    waiting.with { $0 = nil }
    waiter.join()
    context.expect(found.all == [1], "an interrupted wait reported \(found.all) descriptors; one was ready")
    bell.receiveAll()
    context.record("interrupted waits")
  }
}

private func stormOnADispatcher(_ context: CheckContext) throws {
  let threads = context.recorder(of: UInt.self)
  let bench = try context.bench(workers: 2) { $0.onWorkerStart = { _ in threads.append(Process.currentThread) } }
  let workers = try threads.wait(forCount: 2, of: "both workers")
  let isOver = Tally()
  let storm = Thread {
    while isOver.value == 0 {
      for worker in workers { pthread_kill(pthread_t(worker), SIGUSR1) }
      context.pause(.microseconds(50))
    }
  }
  defer {
    isOver.set(1)
    storm.join()
  }
  for target in try bench.targets() {
    let ends = try bench.ends()
    let read = Tally()
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in read.add(ends.near.receiveAll().count) }
    for round in 1...100 {
      ends.far.send([1])
      try context.eventually("byte \(round) on \(target.name), among signals", { read.value >= round })
      let fired = context.latch()
      let due = TimerClock.continuous.now.nanoseconds + 100_000
      target.queue.asyncAfter(.microseconds(100)) {
        if TimerClock.continuous.now.nanoseconds < due { context.fail("a signal made a timer early") }
        fired.signal()
      }
      try fired.wait(for: "a timer on \(target.name), among signals")
    }
    try bench.cancelAndWait(source)
    context.record("round trips among signals", 100)
  }
}

private func stormOnTraffic(_ context: CheckContext) throws {
  countSignals(SIGUSR1)
  let threads = context.recorder(of: UInt.self)
  let bench = try context.bench(workers: 2) { $0.onWorkerStart = { _ in threads.append(Process.currentThread) } }
  try trafficAmongSignals(context, workers: try threads.wait(forCount: 2, of: "both workers"), bench)
  context.record("signals", signalsSeen.load(ordering: .relaxed))
}

private func waitNow(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let start = Moment.now
  for _ in 0..<100 {
    context.expect(try raw.wait(.now).isEmpty, "nothing is ready, and a wait reported something")
    context.record("waits")
  }
  // 100 waits that do not sleep: seconds would mean that they do.
  context.expect(start.elapsed < .seconds(5), "100 waits that must not sleep took \(start.elapsed.brief)")
  raw.bell.ring()
  for _ in 0..<100 {
    context.expect(try raw.wait(.now).count == 1, "a wait that must not sleep, with one descriptor that stays ready")
  }
}

private func waitUntilReady(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let all = try (0..<8).map { _ in try raw.ends() }
  let tokens = try all.map { try raw.add($0.near.number, .read) }
  var random = context.random()
  for _ in 0..<context.scaled(300, minimum: 50) {
    let chosen = random.below(all.count)
    let delay = random.below(400)
    let writer = Thread {
      if delay > 100 { context.pause(.microseconds(delay)) }
      all[chosen].far.send([1])
    }
    let found = try raw.wait(.untilReady)
    writer.join()
    context.expect(
      found == [tokens[chosen]: .read], "one descriptor became ready, and a wait without deadline reported \(found)")
    all[chosen].near.receiveAll()
    context.record("waits")
  }
}
