import HawtDispatch

// T4, the part about changes, and what a timer source has in common with the other sources.

func changesTakeEffect(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let seen = context.recorder(of: Int.self)
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { event in seen.append(event.beats) }
    try source.activate()
    source.schedule(after: .seconds(3_000), repeating: .seconds(3_000))
    try bench.settle()
    // Earlier: the poller sleeps until a time that is too late by now.
    source.schedule(after: .milliseconds(1), repeating: .milliseconds(1))
    try seen.wait(forCount: 3, of: "a timer that was brought forward on \(target.name)")
    // Slower: the interval that was running ends here.
    source.schedule(after: .seconds(3_000), repeating: .milliseconds(1))
    try context.drain(target.queue)
    try bench.settle(target.queue)
    let before = seen.count
    let later = context.latch()
    target.queue.asyncAfter(.milliseconds(15)) { later.signal() }
    try later.wait(for: "a later timer")
    try bench.settle(target.queue)
    context.expect(
      seen.count == before, "on \(target.name), \(seen.count - before) beats came after the timer was put off")
    source.schedule(after: .zero)
    try seen.wait(forCount: before + 1, of: "a timer that was put off and brought forward on \(target.name)")
    source.cancel()
    context.record("changes", 4)
  }
}

func changeInTheHandler(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let times = context.recorder(of: Int64.self)
    let source = Shared<TimerSource?>(nil)
    let made = bench.dispatcher.makeTimerSource(target: target.queue) { _ in
      times.append(TimerClock.continuous.now.nanoseconds)
      // Each is set anew from here; an interval that had been noted before must not add a beat.
      source.with { $0 }?.schedule(after: .milliseconds(2), repeating: .seconds(3_000))
    }
    source.with { $0 = made }
    made.schedule(after: .zero, repeating: .milliseconds(1))
    try made.activate()
    let all = try times.wait(forCount: 6, of: "a timer that its handler schedules on \(target.name)")
    made.cancel()
    source.with { $0 = nil }
    for (former, next) in zip(all, all.dropFirst()) {
      context.expect(
        next - former >= 2_000_000, "on \(target.name), a timer was set to 2 ms and came after \(next - former) ns")
    }
    context.record("changes in a handler", all.count)
  }
}

func rearmingLaterIsQuiet(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 1)
  let queue = bench.dispatcher.threadQueues[0]
  for target in [queue, bench.dispatcher.makeSerialQueue(label: "unpinned")] as [any Queue] {
    let seen = context.recorder(of: Int64.self)
    let source = bench.dispatcher.makeTimerSource(target: target) { _ in
      seen.append(TimerClock.continuous.now.nanoseconds)
    }
    try source.activate()
    source.schedule(after: .milliseconds(400))
    try bench.settle()
    bench.expectCalm("a timer that is armed and waits")
    let (wakeUps, waits) = (bench.dispatcher.metrics[0].wakeUps, bench.waits)
    let times = 1_000
    for _ in 0..<times { source.schedule(after: .milliseconds(400)) }
    let due = TimerClock.continuous.now.nanoseconds
    source.schedule(after: .milliseconds(400))
    let earliest = due + 400_000_000
    context.pause(.milliseconds(2))
    let woken = bench.dispatcher.metrics[0].wakeUps - wakeUps
    context.expect(woken <= 3, "\(times) times re-armed later, the poller was woken \(woken) times")
    context.expect(
      bench.waits - waits <= 10, "\(times) times re-armed later, the poller waited \(bench.waits - waits) times")
    let all = try seen.wait(forCount: 1, of: "a timer that was re-armed later")
    context.expect(all[0] >= earliest, "a timer that was re-armed later fired \(earliest - all[0]) ns early")
    try bench.settle(target)
    context.expect(seen.count == 1, "a timer that was re-armed \(times) times fired \(seen.count) times")
    source.cancel()
    context.record("timers re-armed later", times)
  }
}

func lifeOfATimer(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let events = context.recorder(of: String.self)
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { _ in events.append("inactive") }
    source.schedule(after: .zero, repeating: .milliseconds(1))
    let later = context.latch()
    target.queue.asyncAfter(.milliseconds(5)) { later.signal() }
    try later.wait(for: "a later timer")
    try bench.settle(target.queue)
    context.expect(events.count == 0, "on \(target.name), an inactive timer fired")
    source.setEventHandler { _ in events.append("beat") }
    source.setCancelHandler { events.append(target.queue.isExecuting ? "cancelled" : "cancelled elsewhere") }
    try source.activate()
    try source.activate()
    try events.wait(forCount: 2, of: "beats on \(target.name)")
    try context.onThreads(2) { _, _ in source.cancel() }
    context.expect(source.isCancelled, "cancel() returned and isCancelled is false")
    try context.eventually("the timer's cancel handler runs", { events.all.last == "cancelled" })
    try bench.settle(target.queue)
    let all = events.all
    context.expect(
      all.count { $0.hasPrefix("cancelled") } == 1 && all.last == "cancelled",
      "on \(target.name), there ran \(all.suffix(4))")
    let never = bench.dispatcher.makeTimerSource(target: target.queue)
    never.cancel()
    let error = thrown { try never.activate() } as? SourceError
    var isRight = false
    if case .cancelled? = error { isRight = true }
    context.expect(isRight, "activate() of a cancelled timer: \(error.map { "\($0)" } ?? "no error")")
    source.setEventHandler { _ in events.append("late") }
    source.setCancelHandler { events.append("late cancelled") }
    source.schedule(after: .zero)
    try bench.settle(target.queue)
    context.expect(events.count == all.count, "on \(target.name), after cancel there ran \(events.all.last ?? "")")

    let dropped = context.latch()
    var loose: TimerSource? = bench.dispatcher.makeTimerSource(target: target.queue) { _ in }
    loose?.setCancelHandler { dropped.signal() }
    loose?.schedule(after: .seconds(3_000))
    try loose?.activate()
    loose = nil
    try dropped.wait(for: "the cancel handler of a timer that was dropped on \(target.name)")
    context.record("timers that lived")
  }
}

func timerFollowsItsTarget(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let threads = bench.dispatcher.threadQueues
  let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: threads[0])
  let places = context.recorder(of: Int.self)
  let source = bench.dispatcher.makeTimerSource(target: queue) { _ in
    places.append(threads.firstIndex { $0.isExecuting } ?? -1)
  }
  source.schedule(after: .milliseconds(1), repeating: .milliseconds(1))
  try source.activate()
  for (index, thread) in [threads[1], threads[2], threads[0]].enumerated() {
    let moved = context.latch()
    if index == 2 {
      try source.setTarget(thread)
      try bench.settle(queue, thread)
    } else {
      try queue.setTarget(thread) { _ in moved.signal() }
      try moved.wait(for: "a retarget")
    }
    places.removeAll()
    let all = try places.wait(forCount: 3, of: "beats after a move")
    context.expect(
      all.allSatisfy { $0 == thread.worker }, "after a move to worker \(thread.worker), beats came on workers \(all)")
    context.record("beats after a move", all.count)
  }
  source.cancel()
}
