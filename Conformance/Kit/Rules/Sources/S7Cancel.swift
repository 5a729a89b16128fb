import HawtDispatch

extension Rule {
  /// S7: the end of a source.
  static let s7 = Rule(
    "S7",
    "cancel never blocks, is idempotent and legal in every state; no handler starts after it; the cancel handler runs once, "
      + "on the target, after the last handler and with the registration gone; then handlers are released.",
    why:
      "The cancel handler is the only safe place to close a descriptor: too early, and a stranger's descriptor is read; "
      + "never, and it leaks; twice, and a stranger's is closed.",
    whereToLook: ["Sources/HawtDispatch/Sources (cancelling)", "Sources/HawtDispatch/Dispatcher (whenCancelled)"],
    capabilities: [.processFiles],
    checks: [
      Check("cancel does not wait for a handler that is held", cancelDoesNotWait),
      Check("many cancels at once, one cancel handler", manyCancels),
      Check("an event that waits in the queue is dropped", pendingEventIsDropped),
      Check("after cancel on the target queue no handler starts", cancelOnTheTargetQueue),
      Check("after cancel on a foreign thread no handler starts but one that was starting", cancelElsewhere),
      Check("the cancel handler's queue, and what is gone by then", placeOfTheCancelHandler),
      Check("a suspended source gets its cancel handler, a suspended target delays it", suspensionAndCancel),
      Check("cancel while the worker that serves the source is stuck", cancelOffAStuckWorker),
      Check("setting handlers after cancel has no effect", handlersAfterCancel),
      Check("a joint handler runs once, when all are cancelled", jointHandler),
      Check("a joint handler belongs to the dispatcher of its sources") {
        for scenario in ["joint handler on a foreign queue", "joint handler of a foreign source"] {
          try $0.expectTrap(in: scenario, naming: ["native", "foreign"])
        }
      },
      Check("dropping cancels, in every state", droppingCancels),
      Check("handlers are released", handlersAreReleased),
      Check("all short orders of operations, in step with a model", shortOrders),
      Check("random operations from several threads", randomOperations),
    ],
    scenarios: [
      Scenario("joint handler on a foreign queue") { try makeJointHandler($0) { $1.whenCancelled([$0], on: $2) {} } },
      Scenario("joint handler of a foreign source") {
        try makeJointHandler($0) { $2.dispatcher.whenCancelled([$0], on: $2) {} }
      },
    ])
}

private func makeJointHandler(
  _ context: CheckContext, _ make: (ReadinessSource, Dispatcher, any Queue) -> Void
) throws {
  let native = try Dispatcher(configuration: context.configuration(name: "native"))
  let foreign = try Dispatcher(configuration: context.configuration(name: "foreign"))
  let pipe = try context.makePipe()
  make(native.makeReadSource(pipe.readEnd, target: native.global()), native, foreign.global())
}

private func cancelDoesNotWait(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for target in try bench.targets() {
    let ends = try bench.ends()
    let gate = context.gate()
    let occupancy = Occupancy()
    let cancelled = context.recorder(of: Int.self)
    let source = bench.source(ends.near, .write, on: target.queue) { _ in occupancy.during { gate.pass() } }
    source.setCancelHandler { cancelled.append(occupancy.present) }
    try source.activate()
    try gate.waitForArrivals()
    // Were it to wait for the handler, it would wait for the gate, which is only opened after it has returned.
    source.cancel()
    context.expect(source.isCancelled, "cancel() returned and isCancelled is false")
    let other = context.latch()
    bench.dispatcher.global().async {
      source.cancel()
      other.signal()
    }
    try other.wait(for: "cancel() on another worker while a handler is held on \(target.name)")
    context.expect(cancelled.count == 0, "on \(target.name), the cancel handler ran while a handler was held")
    gate.open()
    try cancelled.wait(forCount: 1, of: "the cancel handler on \(target.name)")
    try bench.settle(target.queue)
    context.expect(
      cancelled.all == [0],
      "on \(target.name), the cancel handlers saw \(cancelled.all) handlers in flight; wanted: [0]")
    context.record("cancels while a handler was held", 2)
  }
}

private func manyCancels(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets()
  for round in 0..<context.scaled(500, minimum: 50) {
    let target = targets[round % targets.count]
    let ends = try bench.ends()
    let cancelled = Tally()
    let source = bench.source(ends.near, .write, on: target.queue) { _ in }
    source.setCancelHandler { cancelled.add() }
    try source.activate()
    try context.onThreads(3) { _, _ in source.cancel() }
    try context.eventually("the cancel handler runs on \(target.name)", { cancelled.value > 0 })
    try context.drain(target.queue)
    source.cancel()
    try context.drain(target.queue)
    context.expect(cancelled.value == 1, "on \(target.name), \(cancelled.value) cancel handlers ran for 4 cancels")
    context.record("cancels", 4)
    bench.forget(ends)
  }
}

private func pendingEventIsDropped(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    guard let held = target.queue as? SerialQueue else { continue }
    let ends = try bench.ends()
    let events = Tally()
    let order = context.recorder(of: String.self)
    let source = bench.source(ends.near, .write, on: held) { _ in events.add() }
    source.setCancelHandler { order.append("cancel handler") }
    held.suspend()
    try source.activate()
    try bench.settle()
    source.cancel()
    held.async { order.append("task after cancel") }
    held.resume()
    try order.wait(forCount: 2, of: "what was owed to \(target.name)")
    try bench.settle(held)
    context.expect(events.value == 0, "an event that was pending on \(target.name) ran after cancel()")
    context.expect(order.count == 2, "on \(target.name), there ran \(order.all)")
    context.record("events dropped by cancel")
  }
  for thread in bench.dispatcher.threadQueues {
    let ends = try bench.ends()
    let gate = try context.hold(thread)
    let events = Tally()
    let cancelled = context.latch()
    let source = bench.source(ends.near, .write, on: thread) { _ in events.add() }
    source.setCancelHandler { cancelled.signal() }
    try source.activate()
    let other = bench.dispatcher.threadQueues.first { $0 !== thread && $0.worker != thread.worker }!
    // A peer harvests for the stuck worker; whether it has by now or not, the event must not run.
    for _ in 0..<10 { try bench.probe(other.worker).roundTrip() }
    source.cancel()
    gate.open()
    try cancelled.wait(for: "the cancel handler on \(thread.label)")
    try bench.settle(thread)
    context.expect(events.value == 0, "an event that was pending on a held thread queue ran after cancel()")
    context.record("events dropped by cancel")
  }
}

private func cancelOnTheTargetQueue(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for round in 0..<context.scaled(100, minimum: 10) {
    for target in try bench.targets() where !(target.queue is GlobalQueue) {
      let ends = try bench.ends()
      let hasReturned = Unguarded(false)
      let begun = context.latch(1 + round % 3)
      let cancelled = context.latch()
      let source = bench.source(ends.near, .write, on: target.queue) { _ in
        if hasReturned.value { context.fail("on \(target.name), a handler began after cancel() in a task there") }
        begun.signal()
      }
      source.setCancelHandler { cancelled.signal() }
      try source.activate()
      try begun.wait(for: "events on \(target.name)")
      target.queue.async {
        source.cancel()
        hasReturned.value = true
      }
      try cancelled.wait(for: "the cancel handler on \(target.name)")
      try context.drain(target.queue)
      context.record("cancels on the target queue")
      bench.forget(ends)
    }
  }
  // In the handler itself, on a concurrent queue too.
  for target in try bench.targets() {
    let ends = try bench.ends()
    let events = Tally()
    let cancelled = context.latch()
    let source = bench.source(ends.near, .write, on: target.queue)
    source.setEventHandler { event in
      events.add()
      event.cancel()
    }
    source.setCancelHandler { cancelled.signal() }
    try source.activate()
    try cancelled.wait(for: "the cancel handler on \(target.name)")
    try bench.settle(target.queue)
    context.expect(events.value == 1, "on \(target.name), \(events.value) handlers ran, the first of which cancelled")
    context.record("cancels in the handler")
  }
}

private func cancelElsewhere(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets()
  for round in 0..<context.scaled(400, minimum: 40) {
    let target = targets[round % targets.count]
    let ends = try bench.ends()
    let begun = context.latch(round % 4)
    let hasReturned = Tally()
    let late = Tally()
    let hasEnded = Tally()
    let cancelled = context.latch()
    let source = bench.source(ends.near, .write, on: target.queue) { _ in
      // One that was being started while cancel() returned cannot be told from one that started after.
      if hasReturned.value != 0 { late.add() }
      if hasEnded.value != 0 { context.fail("on \(target.name), a handler began after the cancel handler") }
      begun.signal()
    }
    source.setCancelHandler {
      hasEnded.set(1)
      cancelled.signal()
    }
    try source.activate()
    try begun.wait(for: "events on \(target.name)")
    source.cancel()
    hasReturned.set(1)
    try cancelled.wait(for: "the cancel handler on \(target.name)")
    try context.drain(target.queue)
    context.expect(late.value <= 1, "on \(target.name), \(late.value) handlers began after cancel() had returned")
    context.record("cancels elsewhere")
    bench.forget(ends)
  }
}
