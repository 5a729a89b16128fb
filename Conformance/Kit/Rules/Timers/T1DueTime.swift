import Glibc
import HawtDispatch

extension Rule {
  /// T1: when a timer runs.
  static let t1 = Rule(
    "T1",
    "Never early; per queue in order of due time, ties in order of arming, also across a retarget; delays of zero, "
      + "negative, and up to 2^63 ns are right.",
    why:
      "A timeout that fires a little early finds the condition not yet true and is not armed again; two timers out of "
      + "order undo each other's work.",
    whereToLook: ["Sources/HawtDispatch/Timers", "Sources/Polling/Devices/DeadlineTimer.swift"],
    checks: [
      Check("never early, on either clock, on every kind of queue", neverEarly),
      Check("never early while poller and timers are busy", neverEarlyUnderLoad),
      Check("in order of due time, ties in order of arming", orderOfDueTime),
      Check("the same order on both clocks at once", orderOnBothClocks),
      Check("the same order across retargets", orderAcrossRetargets),
      Check("delays of zero and less are due at once", dueAtOnce),
      Check("delays of 292 years and more wait", farDelays),
      Check("with leeway, timers share wake-ups and keep their order", sharedWakeUps),
    ])
}

extension TimerClock {
  /// The system's clock that it is promised to be.
  var system: clockid_t {
    switch self {
    case .continuous: CLOCK_BOOTTIME
    case .suspending: CLOCK_MONOTONIC
    }
  }

  /// What that clock says now.
  var now: Moment { Moment(of: system) }
}

private func neverEarly(_ context: CheckContext) throws {
  let bench = try context.bench()
  var random = context.random()
  for target in try bench.targets() {
    for clock in TimerClock.allCases {
      let count = context.scaled(300, minimum: 60)
      let fired = context.latch(count)
      for _ in 0..<count {
        // Odd nanoseconds: rounding down to a coarser unit would make it early.
        let delay = Duration.nanoseconds(Int64(random.below(20_000_000)))
        let leeway = random.oneIn(4) ? Duration.milliseconds(random.below(10)) : .zero
        let due = clock.now.nanoseconds + delay.inNanoseconds
        target.queue.asyncAfter(delay, clock: clock, leeway: leeway) {
          let early = due - clock.now.nanoseconds
          if early > 0 { context.fail("a timer of \(delay) on \(target.name), \(clock), ran \(early) ns early") }
          fired.signal()
        }
      }
      try fired.wait(for: "\(count) timers on \(target.name), \(clock)")
      context.record("timers")
    }
  }
}

private func neverEarlyUnderLoad(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let ends = try bench.ends()
  // Readiness for ever: waits return at once, and timers are looked at in between.
  let noise = try bench.activeSource(ends.near, .write, on: bench.dispatcher.makeSerialQueue()) { _ in }
  let targets = try bench.targets()
  let count = context.scaled(2_000, minimum: 100)
  let fired = context.latch(3 * count)
  try context.onThreads(3) { _, random in
    for _ in 0..<count {
      let clock = random.pick(TimerClock.allCases)
      let delay = Duration.nanoseconds(Int64(random.below(3_000_000)))
      let due = clock.now.nanoseconds + delay.inNanoseconds
      random.pick(targets).queue.asyncAfter(delay, clock: clock, leeway: .zero) {
        let early = due - clock.now.nanoseconds
        if early > 0 { context.fail("a timer of \(delay) ran \(early) ns early, \(clock)") }
        fired.signal()
      }
      if random.oneIn(50) { context.pause(.microseconds(200)) }
    }
  }
  try fired.wait(for: "\(3 * count) timers")
  try bench.cancelAndWait(noise)
  context.record("timers", 3 * count)
}

/// How far apart the due times of `armShuffled` are: more than arming takes.
private let step = Duration.milliseconds(8)

/// Arms timers in a random order of due time, several of which are as good as equal, one-shots and sources mixed; returns
/// the order in which they are to run, or nil if the machine took this thread away for so long that nothing can be said.
private func armShuffled(
  _ bench: Bench, on queue: any Queue, seen: Recorder<Int>, count: Int, random: inout SeededRandom
) throws -> [Int]? {
  let timers = (0..<count).map { (steps: 1 + random.below(6), number: $0) }
  let sources = try timers.map { timer -> TimerSource? in
    guard timer.number % 3 == 0 else { return nil }
    let source = bench.dispatcher.makeTimerSource(target: queue) { _ in seen.append(timer.number) }
    try source.activate()
    // It is needed until it has fired, and nobody else holds it.
    bench.context.atEnd { source.cancel() }
    return source
  }
  let start = Moment.now
  for (timer, source) in zip(timers, sources) {
    if let source {
      source.schedule(after: step * timer.steps)
    } else {
      queue.asyncAfter(step * timer.steps) { seen.append(timer.number) }
    }
  }
  guard start.elapsed < step else { return nil }
  // One thread arms all, so that of two with the same delay the one armed first is due first.
  return timers.sorted { ($0.steps, $0.number) < ($1.steps, $1.number) }.map(\.number)
}

private func orderOfDueTime(_ context: CheckContext) throws {
  let bench = try context.bench()
  var random = context.random()
  for target in try bench.targets() where !(target.queue is GlobalQueue) {
    for _ in 0..<3 {
      let seen = context.recorder(of: Int.self)
      let count = 60
      let gate = try context.hold(target.queue)
      let order = try armShuffled(bench, on: target.queue, seen: seen, count: count, random: &random)
      // All are due before the first may run.
      context.pause(step * 7)
      gate.open()
      try seen.wait(forCount: count, of: "timers on \(target.name)")
      try context.drain(target.queue)
      guard let order else { continue }
      context.expect(
        seen.all == order, "on \(target.name), timers ran as \(seen.all); in order of due time: \(order)")
      context.record("timers in order", count)
    }
    // Ties, as many as one likes: the same delay again and again is due in the order of arming.
    let seen = context.recorder(of: Int.self)
    let count = context.scaled(2_000, minimum: 200)
    for number in 0..<count { target.queue.asyncAfter(.milliseconds(2)) { seen.append(number) } }
    try seen.wait(forCount: count, of: "equal timers on \(target.name)")
    context.expect(seen.all == Array(0..<count), "on \(target.name), equal timers did not run in the order of arming")
    context.record("equal timers", count)
  }
}

/// What is overdue on either clock comes in one order, when the only worker looks at its timers again.
private func orderOnBothClocks(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let queue = dispatcher.makeSerialQueue(label: "both clocks")
  for isContinuousFirst in [false, true] {
    for _ in 0..<20 {
      let seen = context.recorder(of: Int.self)
      let gate = try context.hold(dispatcher.threadQueues[0])
      let count = 8
      // Last armed, first due: unless this thread loses the processor for half of what lies between two.
      var next = Moment.now
      var isClear = true
      for number in (0..<count).reversed() {
        let clock: TimerClock = (number % 2 == 0) == isContinuousFirst ? .continuous : .suspending
        queue.asyncAfter(.milliseconds(1 + 2 * number), clock: clock, leeway: .zero) { seen.append(number) }
        let now = Moment.now
        isClear = isClear && now - next < .milliseconds(1)
        next = now
      }
      context.pause(.milliseconds(2 * count + 10))
      gate.open()
      let all = try seen.wait(forCount: count, of: "timers on both clocks")
      guard isClear else { continue }
      context.expect(all == Array(0..<count), "timers of one queue on both clocks ran as \(all)")
      context.record("timers in order on both clocks", count)
      break
    }
  }
}

private func orderAcrossRetargets(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  var random = context.random()
  let threads = bench.dispatcher.threadQueues
  let stations: [any Queue] = [threads[1], bench.dispatcher.global(), threads[2], threads[0]]
  for nested in [false, true] {
    let outer = try bench.dispatcher.makeSerialQueue(label: "outer", target: threads[0])
    let queue = nested ? try bench.dispatcher.makeSerialQueue(label: "inner", target: outer) : outer
    for station in stations {
      let seen = context.recorder(of: Int.self)
      let count = 40
      let order = try armShuffled(bench, on: queue, seen: seen, count: count, random: &random)
      let moved = context.latch()
      try outer.setTarget(station) { _ in moved.signal() }
      try moved.wait(for: "a retarget with timers")
      // Armed after the move and due before most: it must run among those that moved.
      let late = context.latch()
      queue.asyncAfter(.milliseconds(1)) { late.signal() }
      try late.wait(for: "a timer that was armed after the move")
      try seen.wait(forCount: count, of: "timers that moved with their queue")
      guard let order else { continue }
      context.expect(
        seen.all == order, "moved to \(station), nested: \(nested), timers ran as \(seen.all); wanted \(order)")
      context.record("timers that moved", count)
    }
  }
}

private func dueAtOnce(_ context: CheckContext) throws {
  let bench = try context.bench()
  let delays: [Duration] = [
    .zero, .nanoseconds(-1), .seconds(-1), .nanoseconds(Int64.min), .seconds(Int64.min), .seconds(Int64.min / 2),
  ]
  for target in try bench.targets() {
    for clock in TimerClock.allCases {
      for delay in delays {
        let seen = context.recorder(of: Int.self)
        // Long enough to tell "at once" from "never" and from "wrapped around".
        let bound = target.queue.asyncAfter(.seconds(30)) { context.fail("a delay of \(delay) took more than 30 s") }
        let handle = target.queue.asyncAfter(delay, clock: clock, leeway: .zero) { seen.append(1) }
        context.expect(handle.submission.isAccepted, "a delay of \(delay) was refused")
        try seen.wait(forCount: 1, of: "a delay of \(delay) on \(target.name), \(clock)")
        context.expect(bound.cancel(), "a delay of \(delay) on \(target.name), \(clock), was not due at once")
        let source = bench.dispatcher.makeTimerSource(target: target.queue, clock: clock) { _ in seen.append(2) }
        source.schedule(after: delay)
        try source.activate()
        try seen.wait(forCount: 2, of: "a timer source with a delay of \(delay) on \(target.name), \(clock)")
        source.cancel()
        context.record("delays of zero and less", 2)
      }
    }
    if target.queue is GlobalQueue { continue }
    let order = context.recorder(of: Int.self)
    for number in 0..<100 { target.queue.asyncAfter(.zero) { order.append(number) } }
    try order.wait(forCount: 100, of: "delays of zero on \(target.name)")
    context.expect(order.all == Array(0..<100), "on \(target.name), delays of zero ran as \(order.all)")
  }
}

private func farDelays(_ context: CheckContext) throws {
  let bench = try context.bench()
  let delays: [Duration] = [
    .nanoseconds(Int64.max), .nanoseconds(Int64.max - 1), .nanoseconds(Int64.max) + .nanoseconds(1),
    .seconds(Int64.max),
    .seconds(3_600 * 24 * 365 * 200),
  ]
  for target in try bench.targets() {
    for clock in TimerClock.allCases {
      for delay in delays {
        let handle = target.queue.asyncAfter(delay, clock: clock, leeway: delay == delays[0] ? delay : .zero) {
          context.fail("a delay of \(delay) on \(target.name), \(clock), ran")
        }
        let source = bench.dispatcher.makeTimerSource(target: target.queue, clock: clock) { _ in
          context.fail("a timer source with a delay of \(delay) on \(target.name), \(clock), fired")
        }
        source.schedule(after: delay, repeating: delay)
        try source.activate()
        let near = context.latch()
        target.queue.asyncAfter(.milliseconds(1), clock: clock, leeway: .zero) { near.signal() }
        try near.wait(for: "a short timer beside one of \(delay) on \(target.name), \(clock)")
        try context.drain(target.queue)
        context.expect(handle.cancel(), "a delay of \(delay) on \(target.name), \(clock), could not be cancelled")
        source.cancel()
        context.record("far delays", 2)
      }
    }
  }
  bench.expectCalm("after far delays")
}

/// What is due at 100 different times, and may be late by more than all of them, needs a wake-up or two.
private func sharedWakeUps(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 1)
  let queues = (0..<10).map { bench.dispatcher.makeSerialQueue(label: "lax \($0)") }
  let count = 100
  let leeway = Duration.milliseconds(200)
  var random = context.random()
  // In no order, over queues that share the worker.
  let delays = (0..<count).map { Duration.milliseconds(5) + .microseconds(300 * $0) }.shuffled(using: &random)
  for clock in TimerClock.allCases {
    let told = context.recorder(of: Int.self)
    // Each one is due between two readings of the clock, plus its delay.
    let dues = Shared<[ClosedRange<Int64>]>([])
    let armed = context.latch()
    bench.dispatcher.global().async {
      for (index, delay) in delays.enumerated() {
        let earliest = clock.now.nanoseconds + delay.inNanoseconds
        queues[index % queues.count].asyncAfter(delay, clock: clock, leeway: leeway) {
          if clock.now.nanoseconds < earliest { context.fail("a timer with leeway ran early") }
          told.append(index)
        }
        dues.with { $0.append(earliest...clock.now.nanoseconds + delay.inNanoseconds) }
      }
      armed.signal()
    }
    try armed.wait(for: "the timers' arming")
    let before = bench.waits
    let all = try told.wait(forCount: count, of: "timers with leeway")
    let used = bench.waits - before
    context.expect(used <= count / 4, "\(clock): \(count) timers with leeway took \(used) waits")
    let windows = dues.with { $0 }
    for queue in queues.indices {
      let order = all.filter { $0 % queues.count == queue }
      for (former, latter) in zip(order, order.dropFirst()) {
        context.expect(
          windows[former].lowerBound <= windows[latter].upperBound, "\(clock): timers with leeway ran out of order")
      }
    }
    context.record("timers that shared wake-ups", count)
  }
}
