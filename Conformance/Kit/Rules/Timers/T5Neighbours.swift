import HawtDispatch

extension Rule {
  /// T5: timers do not harm each other.
  static let t5 = Rule(
    "T5", "A timer that throws or blocks takes no other with it.",
    why: "One faulty timeout must not stop all others of its thread, which is what one exception does to a loop.",
    whereToLook: ["Sources/HawtDispatch/Timers", "Sources/HawtDispatch/Dispatcher (error handler)"],
    checks: [
      Check("timers that throw, among others that are due at once", timersThatThrow),
      Check("a repeating timer that throws goes on", repeatingTimerThatThrows),
      Check("a timer that blocks holds up nothing but its own queue", timerThatBlocks),
      Check("nor does it while others arm and cancel timers of the queue that is held", armingOnAHeldQueue),
    ])
}

private func timersThatThrow(_ context: CheckContext) throws {
  let failures = context.recorder(of: TaskFailure.self)
  let bench = try context.bench { $0.errorHandler = { failures.append($0) } }
  for target in try bench.targets() {
    failures.removeAll()
    let ran = context.latch(30)
    let gates = try bench.dispatcher.threadQueues.map { try context.hold($0) }
    for number in 0..<30 {
      target.queue.asyncAfter(.zero) {
        ran.signal()
        if number % 3 == 0 { throw UserError(number: number) }
      }
    }
    for gate in gates { gate.open() }
    try ran.wait(for: "timers beside others that throw on \(target.name)")
    let all = try failures.wait(forCount: 10, of: "errors that timers threw on \(target.name)")
    try bench.settle(target.queue)
    context.expect(
      Set(all.compactMap { ($0.error as? UserError)?.number }) == Set(stride(from: 0, to: 30, by: 3)),
      "on \(target.name), the error handler was told \(all)")
    context.expect(all.allSatisfy { $0.kind == .timer }, "on \(target.name), the kinds told were \(all.map(\.kind))")
    context.expect(
      all.allSatisfy { $0.queueLabel == target.queue.label },
      "on \(target.name), the labels told were \(all.map(\.queueLabel))")
    context.expect(failures.count == 10, "on \(target.name), 10 timers threw and \(failures.count) errors were told")
    context.record("timers that threw", 10)
  }
}

private func repeatingTimerThatThrows(_ context: CheckContext) throws {
  let failures = context.recorder(of: TaskFailure.self)
  let bench = try context.bench { $0.errorHandler = { failures.append($0) } }
  for target in try bench.targets() {
    failures.removeAll()
    let beats = context.latch(5)
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { _ in
      beats.signal()
      throw UserError(number: 1)
    }
    source.schedule(after: .zero, repeating: .milliseconds(1))
    try source.activate()
    try beats.wait(for: "a repeating timer that throws on \(target.name)")
    try failures.wait(forCount: 5, of: "its errors on \(target.name)")
    source.cancel()
    try bench.settle(target.queue)
    context.record("beats that threw", failures.count)
  }
}

private func timerThatBlocks(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let threads = bench.dispatcher.threadQueues
  for blocked in try bench.targets() {
    let gate = context.gate()
    blocked.queue.asyncAfter(.milliseconds(1)) { gate.pass() }
    try gate.waitForArrivals()
    // Everything goes on but what the user pinned to the thread that is held.
    let fired = context.latch(40)
    for index in 0..<20 {
      bench.dispatcher.makeSerialQueue(label: "free \(index)").asyncAfter(.milliseconds(2)) { fired.signal() }
      bench.dispatcher.global().asyncAfter(.milliseconds(2)) { fired.signal() }
    }
    try fired.wait(for: "timers of other queues while one blocks on \(blocked.name)")
    // One of three threads is held, not always a known one: two of the three pinned timers must come.
    let pinned = context.latch(2)
    let all = context.latch(3)
    for thread in threads {
      thread.asyncAfter(.milliseconds(2)) {
        pinned.signal()
        all.signal()
      }
    }
    try pinned.wait(for: "timers of other threads while one blocks on \(blocked.name)")
    gate.open()
    try all.wait(for: "the timers of the thread that was held by \(blocked.name)")
    context.record("timers beside one that blocked", 43)
  }
}

/// Who arms or cancels a timer of a held queue reaches for the poller that the stuck worker would serve. That must not
/// make the others believe that the worker is back.
private func armingOnAHeldQueue(_ context: CheckContext) throws {
  let bench = try context.bench()
  let held = try bench.dispatcher.makeSerialQueue(label: "held", target: bench.dispatcher.threadQueues[1])
  for round in 0..<context.scaled(20, minimum: 3) {
    let gate = context.gate()
    held.asyncAfter(.milliseconds(1)) { gate.pass() }
    try gate.waitForArrivals()
    let isOver = Tally()
    let armed = Tally()
    let busybodies = (0..<2).map { _ in
      Thread {
        while isOver.value == 0 {
          // Each is earlier than the one before, so that the poller has to be told.
          let delay = Duration.seconds(3_000) - .milliseconds(armed.add())
          held.asyncAfter(delay) { context.fail("a timer of 3,000 s ran") }.cancel()
        }
      }
    }
    defer {
      isOver.set(1)
      for thread in busybodies { thread.join() }
      gate.open()
    }
    for _ in 0..<10 {
      let fired = context.latch(2)
      bench.dispatcher.global().asyncAfter(.milliseconds(2)) { fired.signal() }
      bench.dispatcher.makeSerialQueue(label: "free").asyncAfter(.milliseconds(2)) { fired.signal() }
      try fired.wait(for: "timers of free queues while a held queue is armed, round \(round)")
    }
    context.record("timers beside a held queue that is armed", 20)
  }
}
