import HawtDispatch

extension Rule {
  static let q5 = Rule(
    "Q5", "no submission is lost to a worker that goes to sleep; one wake-up write a sleep; idle costs no CPU",
    why: "a lost wake-up hangs a user for ever; superfluous ones cost more than the work",
    whereToLook: ["the worker's announcement of sleep, and its second look", "Sources/Polling: the waker"],
    checks: [
      Check("one submission at a time races a worker's falling asleep", oneAtATime),
      Check("a submission at each moment of a worker's falling asleep", sweepOverTheMoment),
      Check("several threads race several sleeping workers", severalAtATime),
      Check("a worker that is awake is not written to", noWriteToTheAwake),
      Check("one write a sleep, as the kernel counts them") { try $0.expectSuccess(of: "writes") },
      Check("an idle dispatcher uses no CPU") { try $0.expectSuccess(of: "idle") },
    ],
    scenarios: [Scenario("writes", countedWrites), Scenario("idle", idleDispatcher)])
}

/// Each submission waits for the one before, after a pause that sweeps over the moment of falling asleep.
private func oneAtATime(_ context: CheckContext) throws {
  for idleSpin in [Duration.zero, .microseconds(20)] {
    for workers in [1, 2] {
      let dispatcher = try context.makeDispatcher(workers: workers) { $0.idleSpin = idleSpin }
      let queues: [any Queue] = [
        dispatcher.makeSerialQueue(), dispatcher.threadQueues[workers - 1], dispatcher.global(.low),
      ]
      var random = context.random(workers)
      let count = context.scaled(3_000, minimum: 200)
      for number in 0..<count {
        let done = context.latch()
        queues[number % queues.count].async { done.signal() }
        try done.wait(for: "submission \(number) to a dispatcher that was falling asleep")
        if !random.oneIn(4) { spin(.nanoseconds(random.below(60_000))) }
      }
      context.record("submissions that raced a sleep", count)
    }
  }
}

/// A thread that never sleeps itself, and so can submit within the microseconds between a task's end and the worker's
/// sleep: there a worker that looks before it announces itself has some ten nanoseconds in which it overlooks a submission.
private func sweepOverTheMoment(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1) { $0.idleSpin = .zero }
  let queues: [any Queue] = [dispatcher.threadQueues[0], dispatcher.makeSerialQueue(), dispatcher.global()]
  let ran = Tally()
  var random = context.random()
  let count = context.scaled(40_000, minimum: 20_000)
  for number in 1...count {
    queues[number % queues.count].async { ran.add() }
    let start = Moment.now
    while ran.value < number {
      guard start.elapsed < context.patience else {
        throw CheckFailure("submission \(number), made as the worker fell asleep, never ran")
      }
    }
    // A build with optimization takes one microsecond until it sleeps, one without ten.
    spin(.nanoseconds(random.below(random.oneIn(2) ? 3_000 : 20_000)))
  }
  context.record("submissions swept over a sleep", count)
}

private func severalAtATime(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3) { $0.idleSpin = .zero }
  let targets: [any Queue] = dispatcher.threadQueues + [dispatcher.global()]
  let each = context.scaled(1_500, minimum: 100)
  try context.onThreads(3) { _, random in
    let queue = try dispatcher.makeSerialQueue(target: random.pick(targets))
    for number in 0..<each {
      let done = context.latch(3)
      // A hop between workers is a submission that races a sleep as well.
      queue.async {
        done.signal()
        targets[number % targets.count].async {
          done.signal()
          queue.async { done.signal() }
        }
      }
      try done.wait(for: "hop \(number) between queues of different workers")
      if random.oneIn(3) { spin(.nanoseconds(random.below(40_000))) }
    }
  }
  context.record("hops that raced a sleep", 3 * each)
}

private func noWriteToTheAwake(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let gate = try context.hold(dispatcher.threadQueues[0])
  let before = dispatcher.metrics[0].wakeUps
  let count = context.scaled(5_000)
  let done = context.latch(3 * count)
  let queues: [any Queue] = [dispatcher.threadQueues[0], dispatcher.makeSerialQueue(), dispatcher.global()]
  for queue in queues { for _ in 0..<count { queue.async { done.signal() } } }
  let after = dispatcher.metrics[0].wakeUps
  context.expect(after == before, "a worker held by a task was woken \(after - before) times")
  gate.open()
  try done.wait(for: "the tasks submitted meanwhile")
  context.record("submissions to an awake worker without a wake-up", 3 * count)
}

/// How many write-like calls this process has made, by the kernel's count; nil where the kernel does not tell.
private var writeCalls: Int? {
  guard let text = Process.text(of: "/proc/self/io", limit: 4_096) else { return nil }
  for line in text.split(separator: "\n") where line.hasPrefix("syscw: ") { return Int(line.dropFirst(7)) }
  return nil
}

/// In a process of its own, where nobody else writes.
private func countedWrites(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2) { $0.idleSpin = .zero }
  let rounds = context.scaled(300, minimum: 50)
  let before = dispatcher.metrics
  let writesBefore = writeCalls
  for _ in 0..<rounds {
    let burst = 64
    let done = context.latch(2 * burst)
    for _ in 0..<burst {
      for thread in dispatcher.threadQueues { thread.async { done.signal() } }
    }
    try done.wait(for: "a burst to sleeping workers")
    context.pause(.microseconds(300))
  }
  let writesAfter = writeCalls
  let after = dispatcher.metrics
  var sleeps = 0
  var wakeUps = 0
  for (old, new) in zip(before, after) {
    sleeps += new.waits - old.waits
    wakeUps += new.wakeUps - old.wakeUps
    context.expect(
      new.wakeUps - old.wakeUps <= new.waits - old.waits,
      "worker \(new.worker) was woken \(new.wakeUps - old.wakeUps) times in \(new.waits - old.waits) waits")
  }
  context.expect(wakeUps > 0, "no sleep was ended by a wake-up: there was nothing to see")
  context.record("wake-ups in \(sleeps) waits", wakeUps)
  if let writesBefore, let writesAfter {
    let writes = writesAfter - writesBefore
    // One more wait may have begun or ended at either edge of the count.
    context.expect(writes <= sleeps + 4, "the process wrote \(writes) times to end at most \(sleeps) sleeps")
    context.record("writes counted by the kernel", writes)
  }
}

/// In a process of its own: everything that may be pending without being due.
private func idleDispatcher(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 4)
  let suspended = dispatcher.makeSerialQueue(label: "suspended")
  suspended.suspend()
  suspended.async {}
  let pipe = try context.makePipe()
  pipe.write()
  let ready = dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.makeSerialQueue()) { _ in }
  ready.suspend()
  try ready.activate()
  let silent = try context.makePipe()
  let waiting = dispatcher.makeReadSource(silent.readEnd, target: dispatcher.threadQueues[1]) { _ in }
  try waiting.activate()
  let timer = dispatcher.global().asyncAfter(.seconds(3_600)) {}
  for thread in dispatcher.threadQueues { try context.drain(thread) }
  // What was just done may take its time to settle; what idles must then be still.
  context.pause(.milliseconds(200))
  let roundsBefore = dispatcher.metrics.map(\.rounds)
  let before = processorTime()
  context.pause(.milliseconds(1_000))
  let used = processorTime() - before
  let rounds = zip(dispatcher.metrics.map(\.rounds), roundsBefore).map { $0 - $1 }.reduce(0, +)
  context.expect(used < .milliseconds(10), "an idle dispatcher used \(used.brief) of CPU in a second")
  context.expect(rounds <= 8, "idle workers made \(rounds) rounds in a second")
  context.record("µs of CPU or less in an idle second", Int(used.inNanoseconds / 1_000) + 1)
  timer.cancel()
  suspended.resume()
  ready.cancel()
  waiting.cancel()
}
