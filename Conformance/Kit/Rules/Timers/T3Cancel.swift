import HawtDispatch

extension Rule {
  /// T3: a one-shot's cancel tells the truth.
  static let t3 = Rule(
    "T3",
    "A one-shot returns a handle; cancel() says true exactly if the task will never start, wherever it is called from.",
    why: "Whoever gets true frees what the task would have used; whoever gets false leaves that to the task. Any other "
      + "answer is a leak or a use after free.",
    whereToLook: ["Sources/HawtDispatch/Timers"],
    capabilities: [.processFiles],
    checks: [
      Check("cancelled before it is due, from everywhere", cancelledInTime),
      Check("cancelled while due and waiting in its queue", cancelledWhileWaiting),
      Check("cancelled by its own task, and after it has run", cancelledTooLate),
      Check("cancels race each other and the firing, with exact counts", cancelsRaceFiring),
      Check("cancels race retargets", cancelsRaceRetargets),
      Check("captures are released before cancel returns true", capturesAreReleased),
      Check("a timer that a shutdown dropped will never start", droppedByShutdown),
      Check("a handle that is dropped cancels nothing", droppedHandle),
      Check("the last of many that is cancelled, or has run, lets their queue go", queueOfManyGoes),
      Check("a million are cancelled, and their memory comes back") { try $0.expectSuccess(of: "million") },
    ],
    scenarios: [Scenario("million", aMillionCancelled)])
}

private func cancelledInTime(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for clock in TimerClock.allCases {
      for caller in ["a foreign thread", "its own queue", "another queue", "a timer", "a handler"] {
        let handle = target.queue.asyncAfter(.milliseconds(200), clock: clock, leeway: .zero) {
          context.fail("a timer on \(target.name) that was cancelled from \(caller) ran")
        }
        let answers = context.recorder(of: Bool.self)
        switch caller {
        case "its own queue": target.queue.async { answers.append(handle.cancel()) }
        case "another queue": bench.dispatcher.global(.low).async { answers.append(handle.cancel()) }
        case "a timer": target.queue.asyncAfter(.milliseconds(1)) { answers.append(handle.cancel()) }
        case "a handler":
          let ends = try bench.ends()
          try bench.activeSource(ends.near, .write, on: target.queue) { event in
            event.cancel()
            answers.append(handle.cancel())
          }
        default: answers.append(handle.cancel())
        }
        try answers.wait(forCount: 1, of: "cancel from \(caller)")
        answers.append(handle.cancel())
        context.expect(
          answers.all == [true, true], "cancel from \(caller) on \(target.name), and again, said \(answers.all)")
        context.record("timers cancelled in time")
      }
    }
  }
  // A timer that is due after those were shows that none of them runs any more.
  let later = context.latch()
  bench.dispatcher.global().asyncAfter(.milliseconds(250)) { later.signal() }
  try later.wait(for: "a timer that is due later")
  try bench.settle()
}

private func cancelledWhileWaiting(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() where !(target.queue is GlobalQueue) {
    let gate = try context.hold(target.queue)
    let ran = context.recorder(of: Int.self)
    let handles = (0..<20).map { number in target.queue.asyncAfter(.zero) { ran.append(number) } }
    let due = context.latch()
    bench.dispatcher.global().asyncAfter(.milliseconds(5)) { due.signal() }
    try due.wait(for: "a timer on a free worker")
    // All are due; whether a peer has put them into the queue by now or not, none has started.
    let answers = handles.enumerated().filter { $0.offset % 2 == 0 }.map { $0.element.cancel() }
    context.expect(
      answers.allSatisfy { $0 }, "on \(target.name), cancel() of timers that waited said false: \(answers)")
    gate.open()
    try ran.wait(forCount: 10, of: "the timers that were not cancelled on \(target.name)")
    try bench.settle(target.queue)
    context.expect(
      ran.all == (0..<20).filter { $0 % 2 == 1 },
      "on \(target.name), there ran \(ran.all), the even ones were cancelled")
    context.record("timers cancelled while waiting", answers.count)
  }
}

private func cancelledTooLate(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let answers = context.recorder(of: Bool.self)
    let handle = Shared<TimerHandle?>(nil)
    let gate = context.gate()
    let made = target.queue.asyncAfter(.milliseconds(1)) {
      gate.pass()
      answers.append(handle.with { $0 }?.cancel() ?? true)
    }
    handle.with { $0 = made }
    try gate.waitForArrivals()
    answers.append(made.cancel())
    gate.open()
    try answers.wait(forCount: 2, of: "the timer's own cancel on \(target.name)")
    answers.append(made.cancel())
    context.expect(
      answers.all == [false, false, false],
      "on \(target.name), cancel() while it ran, by itself, and afterwards said \(answers.all)")
    handle.with { $0 = nil }
    context.record("cancels that came too late", 3)
  }
}

private func cancelsRaceFiring(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets()
  let count = context.scaled(4_000, minimum: 300)
  var random = context.random()
  for target in targets {
    let runs = (0..<count).map { _ in Tally() }
    let cancels = (0..<count).map { _ in Tally() }
    let refusals = (0..<count).map { _ in Tally() }
    let handles = (0..<count).map { number in
      target.queue.asyncAfter(.nanoseconds(Int64(random.below(3_000_000)))) { runs[number].add() }
    }
    try context.onThreads(3) { index, random in
      for step in 0..<count {
        // Each in an order of its own, so that now one and now another is the first.
        let number = (step * (index == 1 ? 7 : 1) + index * count / 3) % count
        if handles[number].cancel() { cancels[number].add() } else { refusals[number].add() }
        if random.oneIn(20) { context.pause(.microseconds(20)) }
      }
    }
    // Whoever was told false was told that it ran or will.
    let expected = (0..<count).count { cancels[$0].value == 0 }
    try context.eventually(
      "all timers that were not cancelled run on \(target.name)", { runs.count { $0.value > 0 } >= expected })
    try bench.settle(target.queue)
    for number in 0..<count {
      let (ran, yes, no) = (runs[number].value, cancels[number].value, refusals[number].value)
      context.expect(
        ran == 1 && yes == 0 || ran == 0 && no == 0,
        "on \(target.name), a timer ran \(ran) times, cancel() said true \(yes) and false \(no) times")
    }
    context.record("timers raced", count)
    context.record("of these cancelled", count - expected)
  }
}

private func cancelsRaceRetargets(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let threads = bench.dispatcher.threadQueues
  let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: threads[0])
  let rounds = context.scaled(2_000, minimum: 100)
  let runs = Tally()
  let cancels = Tally()
  let isOver = Tally()
  let mover = Thread {
    var turn = 0
    while isOver.value == 0 {
      turn += 1
      try? queue.setTarget(threads[turn % threads.count])
      context.pause(.microseconds(50))
    }
  }
  defer {
    isOver.set(1)
    mover.join()
  }
  try context.onThreads(2) { _, random in
    for _ in 0..<rounds {
      let handle = queue.asyncAfter(.nanoseconds(Int64(random.below(100_000)))) { runs.add() }
      if random.oneIn(2) { context.pause(.microseconds(random.below(100))) }
      if handle.cancel() { cancels.add() }
    }
  }
  try context.eventually(
    "of \(2 * rounds) timers each ran or was cancelled", { runs.value + cancels.value >= 2 * rounds })
  try context.drain(queue)
  context.expect(
    runs.value + cancels.value == 2 * rounds,
    "\(2 * rounds) timers: \(runs.value) ran and \(cancels.value) were cancelled")
  context.record("timers raced with retargets", 2 * rounds)
}

private func queueOfManyGoes(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let count = 600
  for round in 0..<context.scaled(100, minimum: 6) {
    let gone = context.latch()
    var random = context.random(round)
    // Some fall due meanwhile, or nobody looks but those who cancel.
    let handles = armMany(bench.dispatcher, count, dueSoon: round.isMultiple(of: 2) ? 0 : count / 3, gone, &random)
    try context.onThreads(3) { index, random in
      for step in 0..<count {
        handles[(step * 7 + index * count / 3) % count].cancel()
        if random.oneIn(50) { context.pause(.microseconds(20)) }
      }
    }
    try gone.wait(for: "the end of a queue whose timers were all cancelled or have run")
    context.record("timers of queues that went", count)
  }
}

/// In a function of its own, so that no local keeps the queue.
private func armMany(
  _ dispatcher: Dispatcher, _ count: Int, dueSoon: Int, _ gone: Latch, _ random: inout SeededRandom
) -> [TimerHandle] {
  let queue = dispatcher.makeSerialQueue(label: "many")
  queue.setSpecific(QueueKey<Token>(), Token { gone.signal() })
  return (0..<count).map { number in
    queue.asyncAfter(number < dueSoon ? .microseconds(random.below(2_000)) : .seconds(3_000)) {}
  }
}

private func capturesAreReleased(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for isHeld in [false, true] where !(isHeld && target.queue is GlobalQueue) {
      let gate = isHeld ? try context.hold(target.queue) : nil
      let released = Tally()
      let handle = arm(target.queue, isHeld ? .zero : .seconds(3_000), released)
      if isHeld {
        let due = context.latch()
        bench.dispatcher.global().asyncAfter(.milliseconds(2)) { due.signal() }
        try due.wait(for: "a timer on a free worker")
      }
      context.expect(handle.cancel(), "on \(target.name), cancel() of a timer that waited said false")
      context.expect(
        released.value == 1, "on \(target.name), due: \(isHeld), cancel() said true and the captures live on")
      gate?.open()
      context.record("captures released by cancel")
    }
  }
}

/// In a function of its own, so that no local keeps what the task captures.
private func arm(_ queue: any Queue, _ delay: Duration, _ released: Tally) -> TimerHandle {
  let token = Token { released.add() }
  return queue.asyncAfter(delay) { token.touch() }
}

private func droppedByShutdown(_ context: CheckContext) throws {
  for kind in 0..<5 {
    let reports = context.recorder(of: TaskFailure.self)
    let bench = try context.bench { $0.errorHandler = { reports.append($0) } }
    let target = try bench.targets()[kind]
    let handle = target.queue.asyncAfter(.seconds(3_000)) { context.fail("a timer ran that a shutdown dropped") }
    let report = bench.dispatcher.shutdownAndWait()
    context.expect(
      report.droppedTimers == 1, "the shutdown reported \(report.droppedTimers) dropped timers, one was armed")
    context.expect(handle.cancel(), "cancel() of a timer that a shutdown dropped said false")
    let late = target.queue.asyncAfter(.milliseconds(1)) { context.fail("a timer ran that was refused") }
    context.expect(late.submission == .refused(.shutDown), "after a shutdown a timer was \(late.submission)")
    context.expect(late.cancel(), "cancel() of a refused timer said false")
    context.record("timers that a shutdown ended", 2)
  }
}

private func droppedHandle(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let fired = context.latch(100)
    for _ in 0..<100 { _ = target.queue.asyncAfter(.milliseconds(1)) { fired.signal() } }
    try fired.wait(for: "timers whose handles were dropped on \(target.name)")
    context.record("dropped handles", 100)
  }
}
