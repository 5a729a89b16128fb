import HawtDispatch

extension Rule {
  /// C2: who may merge.
  static let c2 = Rule(
    "C2", "Merging is legal from any thread and queue; inside the handler it causes another delivery, no recursion.",
    why: "Events come from wherever they come from; a handler that feeds itself is how a job is split into pieces.",
    whereToLook: ["Sources/HawtDispatch/Sources/MergingSource.swift"],
    checks: [
      Check("from every kind of thread and queue", fromEverywhere),
      Check("inside the handler", insideTheHandler),
      Check("after a delivery has begun, another follows", duringADelivery),
    ])
}

private func fromEverywhere(_ context: CheckContext) throws {
  let bench = try context.bench()
  let other = try context.makeDispatcher()
  for target in try bench.targets() {
    let sum = Tally()
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { sum.add($0) }
    try source.activate()
    var expected = 0
    let merge: @Sendable () -> Void = {
      if !source.merge(1).isAccepted { context.fail("a merge was refused on \(target.name)") }
    }
    for from in try bench.targets() {
      from.queue.async { merge() }
      from.queue.asyncAfter(.milliseconds(1)) { merge() }
      expected += 2
    }
    for priority in Priority.allCases {
      other.global(priority).async { merge() }
      expected += 1
    }
    other.threadQueues[0].async { merge() }
    Thread { merge() }.join()
    merge()
    let ends = try bench.ends()
    try bench.activeSource(ends.near, .write, on: target.queue) { event in
      event.cancel()
      merge()
    }
    let second = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { _ in merge() }
    try second.activate()
    second.merge(1)
    expected += 5
    try context.eventually("\(expected) merges from everywhere came to \(target.name)", { sum.value == expected })
    second.cancel()
    source.cancel()
    context.record("merges", expected)
  }
}

private func insideTheHandler(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let depth = Tally()
    let deepest = Tally()
    let seen = context.recorder(of: Int.self)
    let box = Shared<MergingSource<Int, Int>?>(nil)
    let rounds = 1_000
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { amount in
      deepest.raise(to: depth.add())
      if seen.count < rounds { box.with { $0 }?.merge(amount + 1) }
      seen.append(amount)
      depth.add(-1)
    }
    box.with { $0 = source }
    try source.activate()
    source.merge(0)
    let all = try seen.wait(forCount: rounds + 1, of: "deliveries of what the handler merged on \(target.name)")
    try context.drain(target.queue)
    context.expect(
      all == Array(0...rounds), "on \(target.name), a handler that merges one more each time saw \(all.prefix(20))")
    context.expect(deepest.value == 1, "on \(target.name), handlers were nested \(deepest.value) deep")
    box.with { $0 = nil }
    source.cancel()
    context.record("merges inside the handler", rounds)
  }
}

private func duringADelivery(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let gate = context.gate()
    let seen = context.recorder(of: Int.self)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { amount in
      seen.append(amount)
      if amount == 1 { gate.pass() }
    }
    try source.activate()
    source.merge(1)
    try gate.waitForArrivals()
    // Nothing of this may join the delivery that is under way, and nothing may start beside it.
    for _ in 0..<10 { source.merge(2) }
    context.expect(seen.all == [1], "on \(target.name), merges during a delivery were seen as \(seen.all)")
    gate.open()
    let all = try seen.wait(forCount: 2, of: "the delivery after the one that was held, on \(target.name)")
    try context.drain(target.queue)
    context.expect(all == [1, 20], "on \(target.name), ten merges during a delivery came as \(all.dropFirst())")
    source.cancel()
    context.record("merges during a delivery", 10)
  }
}
