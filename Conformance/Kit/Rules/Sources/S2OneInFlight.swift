import HawtDispatch

extension Rule {
  /// S2: one handler of a source at a time.
  static let s2 = Rule(
    "S2", "At most one handler of a source in flight, whatever its target, also a concurrent one.",
    why: "Two handlers at once would read one stream from two threads: bytes out of order, however careful each is.",
    whereToLook: ["Sources/HawtDispatch/Sources (pending, completion)"],
    checks: [
      Check("a handler that is held on a global queue is the only one", heldOnGlobalQueue),
      Check("readiness for ever, on every kind of target", readinessForEver),
      Check("a source that is retargeted while its handler is held waits for it", retargetedWhileHeld),
      Check("a source that is retargeted all the time", retargetedAllTheTime),
    ])
}

/// Counts who is inside, and remembers the most that ever were.
final class Occupancy: Sendable {
  private let inside = Tally()
  private let most = Tally()

  func enter() { most.raise(to: inside.add()) }
  func leave() { inside.add(-1) }
  var maximum: Int { most.value }
  /// How many are inside now.
  var present: Int { inside.value }

  func during<Value>(_ body: () throws -> Value) rethrows -> Value {
    enter()
    defer { leave() }
    return try body()
  }
}

private func heldOnGlobalQueue(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 4)
  for priority in Priority.allCases {
    let ends = try bench.ends()
    let gate = context.gate()
    let occupancy = Occupancy()
    let begun = Tally()
    // Nothing is ever drained: each wait of any poller sees it ready.
    let source = try bench.activeSource(ends.near, .write, on: bench.dispatcher.global(priority)) { event in
      occupancy.during {
        begun.add()
        gate.pass()
        if begun.value >= 3 { event.suspend() }
      }
    }
    try gate.waitForArrivals()
    let probe = bench.source(try bench.ends().near, .write, on: bench.dispatcher.global(priority))
    let rounds = context.latch(50)
    probe.setEventHandler { event in
      rounds.signal()
      if rounds.count == 0 { event.suspend() }
    }
    try probe.activate()
    try rounds.wait(for: "another source on the same global queue, while a handler is held")
    context.expect(begun.value == 1, "\(begun.value) handlers of one source began while the first was held")
    gate.open()
    try gate.waitForArrivals(3)
    try bench.cancelAndWait(source)
    context.expect(occupancy.maximum == 1, "\(occupancy.maximum) handlers of one source were in flight at once")
    context.record("handlers while one was held", 1)
  }
}

private func readinessForEver(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 4)
  let events = context.scaled(2_000, minimum: 100)
  for target in try bench.targets() {
    let ends = try bench.ends()
    let occupancy = Occupancy()
    let done = context.latch(events)
    // Not protected on purpose: a second handler at once is a race that the thread sanitizer sees.
    let unguarded = Unguarded(0)
    let source = try bench.activeSource(ends.near, .write, on: target.queue) { event in
      occupancy.during {
        unguarded.value += 1
        done.signal()
        if done.count <= 0 { event.suspend() }
      }
    }
    try done.wait(for: "\(events) events on \(target.name)")
    try bench.cancelAndWait(source)
    context.expect(occupancy.maximum == 1, "on \(target.name), \(occupancy.maximum) handlers were in flight at once")
    context.expect(
      unguarded.value == source.deliveries,
      "on \(target.name), \(source.deliveries) handlers counted to \(unguarded.value)")
    context.record("events", events)
  }
}

private func retargetedWhileHeld(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let threads = bench.dispatcher.threadQueues
  let destinations: [any Queue] = [threads[1], bench.dispatcher.global(), bench.dispatcher.makeSerialQueue()]
  for destination in destinations {
    let ends = try bench.ends()
    let gate = context.gate()
    let occupancy = Occupancy()
    let begun = Tally()
    let places = context.recorder(of: Bool.self)
    let source = try bench.activeSource(ends.near, .write, on: threads[0]) { event in
      occupancy.during {
        places.append(destination.isExecuting)
        if begun.add() == 1 { gate.pass() } else { event.suspend() }
      }
    }
    try gate.waitForArrivals()
    try source.setTarget(destination)
    try bench.settle(destination, except: 0)
    context.expect(begun.value == 1, "a second handler began on \(destination) while the first was held elsewhere")
    gate.open()
    try places.wait(forCount: 2, of: "the next event at the new target \(destination)")
    try bench.cancelAndWait(source)
    context.expect(occupancy.maximum == 1, "\(occupancy.maximum) handlers of one source were in flight at once")
    context.expect(
      places.all == [false, true], "the handlers ran at the new target: \(places.all); wanted: [false, true]")
    context.record("retargets of a source in its handler")
  }
}

private func retargetedAllTheTime(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 4)
  let moves = context.scaled(2_000, minimum: 100)
  let targets = try bench.targets().map(\.queue) + bench.dispatcher.threadQueues
  let ends = try bench.ends()
  let occupancy = Occupancy()
  let events = Tally()
  let unguarded = Unguarded(0)
  let source = try bench.activeSource(ends.near, .write, on: targets[0]) { _ in
    occupancy.during {
      unguarded.value += 1
      events.add()
    }
  }
  try context.onThreads(2) { _, random in
    for _ in 0..<moves { try source.setTarget(random.pick(targets)) }
  }
  let before = events.value
  try context.eventually("events go on after \(moves) retargets", { events.value > before + 10 })
  try bench.cancelAndWait(source)
  context.expect(occupancy.maximum == 1, "\(occupancy.maximum) handlers of one source were in flight at once")
  context.expect(
    unguarded.value == events.value, "\(events.value) handlers counted to \(unguarded.value): two ran at once")
  context.record("events", events.value)
  context.record("retargets", 2 * moves)
}
