import HawtDispatch

extension Rule {
  /// T4: timers that repeat.
  static let t4 = Rule(
    "T4",
    "Repeating timers keep phase, merge missed beats and say how many; a changed interval or deadline takes effect at once; "
      + "re-arming later does not wake the poller.",
    why:
      "A meter that drifts by its handler's time, or fires a burst after a pause, measures itself; a timeout that is "
      + "pushed out at every byte must not cost a wake-up each time.",
    whereToLook: ["Sources/HawtDispatch/Timers", "Sources/Polling/Devices/DeadlineTimer.swift"],
    checks: [
      Check("beats keep phase, never early", beatsKeepPhase),
      Check("phase is kept when beats are late", lateBeatsKeepPhase),
      Check("beats that are missed come as one, which says how many", missedBeats),
      Check("beats that fall due while suspended come as one on resume", suspendedBeats),
      Check("a beat that falls due before there is a handler is kept for it", beatBeforeTheHandler),
      Check("a single beat is single", singleBeat),
      Check("a change takes effect at once, earlier and later", changesTakeEffect),
      Check("a change from within the handler", changeInTheHandler),
      Check("re-arming later does not wake the poller", rearmingLaterIsQuiet),
      Check("a timer's life: inactive, activate, suspend, cancel, drop", lifeOfATimer),
      Check("a timer follows its target", timerFollowsItsTarget),
    ])
}

/// What a handler saw of one delivery.
struct Beat: Sendable {
  let beats: Int
  let at: Int64
}

private func beatsKeepPhase(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for clock in TimerClock.allCases {
      let interval: Int64 = 3_000_000
      let seen = context.recorder(of: Beat.self)
      let total = Tally()
      let source = bench.dispatcher.makeTimerSource(target: target.queue, clock: clock) { event in
        seen.append(Beat(beats: event.beats, at: clock.now.nanoseconds))
        total.add(event.beats)
      }
      try source.activate()
      // The first beat is due between the two readings of the clock, plus the delay.
      let earliest = clock.now.nanoseconds + 2_000_000
      source.schedule(after: .milliseconds(2), repeating: .nanoseconds(interval))
      let latest = clock.now.nanoseconds + 2_000_000
      try context.eventually("15 beats on \(target.name), \(clock)", { total.value >= 15 })
      source.cancel()
      try bench.settle(target.queue)
      var beats: Int64 = 0
      for beat in seen.all {
        beats += Int64(beat.beats)
        let due = earliest + (beats - 1) * interval
        context.expect(
          beat.at >= due, "on \(target.name), beat \(beats) came \(due - beat.at) ns before its time: phase is lost")
        context.expect(beat.beats >= 1, "a delivery stood for \(beat.beats) beats")
      }
      expectPhaseKept(seen.all, firstBy: latest, interval, context, "on \(target.name)")
      context.record("beats", Int(beats))
    }
  }
}

/// The only worker is busy when every other beat is due. A timer that counted its interval from when it was late, and not
/// from when it was due, would lose that time each time.
private func lateBeatsKeepPhase(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 1)
  let thread = bench.dispatcher.threadQueues[0]
  let interval: Int64 = 10_000_000
  for target in try bench.targets() {
    let seen = context.recorder(of: Beat.self)
    let total = Tally()
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { event in
      seen.append(Beat(beats: event.beats, at: TimerClock.continuous.now.nanoseconds))
      if total.add(event.beats) < 10 { thread.asyncAfter(.milliseconds(9)) { spin(.milliseconds(7)) } }
    }
    try source.activate()
    source.schedule(after: .nanoseconds(interval), repeating: .nanoseconds(interval))
    let latest = TimerClock.continuous.now.nanoseconds + interval
    try context.eventually("10 beats on \(target.name)", { total.value >= 10 })
    source.cancel()
    try bench.settle(target.queue)
    expectPhaseKept(seen.all, firstBy: latest, interval, context, "late, on \(target.name)")
    context.record("beats, half of them late", total.value)
  }
}

/// With phase kept, a delivery counts every beat that was due when it was told. One handler may read the clock long after
/// that, on a machine that is busy; of the last five, hardly all do, by more than a beat. A lost phase adds up.
private func expectPhaseKept(
  _ deliveries: [Beat], firstBy first: Int64, _ interval: Int64, _ context: CheckContext, _ circumstances: String
) {
  var beats: Int64 = 0
  let uncounted = deliveries.map { delivery in
    beats += Int64(delivery.beats)
    return (delivery.at - first) / interval + 1 - beats
  }
  let least = uncounted.suffix(5).min() ?? 0
  context.expect(
    least <= 1, "\(circumstances), at least \(least) of \(beats + least) beats were not told: phase is lost")
}

private func missedBeats(_ context: CheckContext) throws {
  // With a peer, somebody counts while the handler is held; without, the worker finds out when it comes back.
  for workers in [1, 2] { try missedBeats(context, try context.bench(workers: workers)) }
}

private func missedBeats(_ context: CheckContext, _ bench: Bench) throws {
  for target in try bench.targets() {
    let interval = Duration.milliseconds(2)
    let seen = context.recorder(of: Int.self)
    let gate = context.gate()
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { event in
      seen.append(event.beats)
      if seen.count == 1 { gate.pass() }
    }
    try source.activate()
    let start = TimerClock.continuous.now
    source.schedule(after: interval, repeating: interval)
    let hasBegun = TimerClock.continuous.now
    try gate.waitForArrivals()
    context.pause(.milliseconds(21))
    // The handler is held, and a second must not have begun beside it.
    context.expect(seen.count == 1, "on \(target.name), \(seen.count) handlers of one timer began while one was held")
    gate.open()
    let all = try seen.wait(forCount: 2, of: "the delivery after missed beats on \(target.name)")
    let after = Int64((TimerClock.continuous.now - start).inNanoseconds / interval.inNanoseconds)
    context.expect(
      all[1] > 1, "on \(target.name), some ten beats were missed, and the next delivery stands for \(all[1])")
    context.expect(
      Int64(all[0] + all[1]) <= after, "on \(target.name), \(all[0] + all[1]) beats were told, \(after) had been due")
    // A delivery may have been put together a little before it runs; what it lacks comes with the next, or is lost.
    try context.eventually("the beats that were missed are all told on \(target.name)") {
      let told = seen.all.reduce(0, +)
      return told >= Int((TimerClock.continuous.now - hasBegun).inNanoseconds / interval.inNanoseconds)
    }
    source.cancel()
    try bench.settle(target.queue)
    context.record("beats merged", all[1])
  }
}

private func suspendedBeats(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let interval = Duration.milliseconds(2)
    let seen = context.recorder(of: Int.self)
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { event in seen.append(event.beats) }
    source.suspend()
    try source.activate()
    source.suspend()
    let start = TimerClock.continuous.now
    source.schedule(after: interval, repeating: interval)
    context.pause(.milliseconds(15))
    try bench.settle(target.queue)
    source.resume()
    try bench.settle(target.queue)
    context.expect(seen.count == 0, "on \(target.name), a suspended timer fired")
    let before = Int64((TimerClock.continuous.now - start).inNanoseconds / interval.inNanoseconds)
    source.resume()
    let all = try seen.wait(forCount: 1, of: "the delivery on resume on \(target.name)")
    source.cancel()
    context.expect(
      Int64(all[0]) > before / 2, "on \(target.name), \(before) beats were due while suspended; resume told \(all[0])")
    context.record("beats kept while suspended", all[0])
  }
}

private func singleBeat(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let seen = context.recorder(of: Int.self)
    let source = bench.dispatcher.makeTimerSource(target: target.queue) { event in seen.append(event.beats) }
    try source.activate()
    for round in 1...3 {
      source.schedule(after: .milliseconds(1))
      try seen.wait(forCount: round, of: "a single beat on \(target.name)")
    }
    let later = context.latch()
    target.queue.asyncAfter(.milliseconds(10)) { later.signal() }
    try later.wait(for: "a later timer")
    try bench.settle(target.queue)
    context.expect(seen.all == [1, 1, 1], "on \(target.name), three single beats came as \(seen.all)")
    source.cancel()
    context.record("single beats", 3)
  }
}

/// No other beat follows a single one, so setting the handler must bring it.
private func beatBeforeTheHandler(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let queue = dispatcher.makeSerialQueue(label: "late handler")
  let source = dispatcher.makeTimerSource(target: queue)
  try source.activate()
  source.schedule(after: .zero)
  // A timer of the same queue that is due later: the beat has been there.
  let passed = context.latch()
  queue.asyncAfter(.milliseconds(1)) { passed.signal() }
  try passed.wait(for: "a timer behind the beat")
  let beats = context.recorder(of: Int.self)
  source.setEventHandler { beats.append($0.beats) }
  let seen = try beats.wait(forCount: 1, of: "the beat that fell due before its handler was set")
  context.expect(seen == [1], "one beat without a handler came as \(seen)")
  source.cancel()
  context.record("beats before a handler")
}
