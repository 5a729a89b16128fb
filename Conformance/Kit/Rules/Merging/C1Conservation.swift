import HawtDispatch

extension Rule {
  /// C1: nothing is lost, nothing is counted twice.
  static let c1 = Rule(
    "C1",
    "Conservation: what the handler sees, and what the cancel handler is given as residue, add up to what was accepted, over "
      + "suspend, migration and many producers.",
    why: "Whoever counts bytes, credits or jobs with it cannot tell a lost one from one that never was.",
    whereToLook: ["Sources/HawtDispatch/Sources/MergingSource.swift"],
    checks: [
      Check("many producers, on every kind of target", manyProducers),
      Check("under suspend, resume and retarget", underMovement),
      Check("cancelled in the middle: deliveries and residue", cancelledInTheMiddle),
      Check("residue: what was merged before activation or while suspended, or nothing", residues),
      Check("dropped in the middle", droppedInTheMiddle),
      Check("a handler that throws loses nothing", throwingMergeHandler),
    ])
}

private func manyProducers(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let each = context.scaled(30_000, minimum: 1_000)
  for target in try bench.targets() {
    let sum = Tally()
    let occupancy = Occupancy()
    let unguarded = Unguarded(0)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { amount in
      occupancy.during {
        unguarded.value += amount
        sum.add(amount)
      }
    }
    try source.activate()
    try context.onThreads(3) { _, random in
      for _ in 0..<each {
        if !source.merge(1).isAccepted { context.fail("a merge into a live source was refused") }
      }
    }
    try context.eventually("\(3 * each) was delivered on \(target.name), got \(sum.value)", { sum.value >= 3 * each })
    try context.drain(target.queue)
    context.expect(sum.value == 3 * each, "on \(target.name), \(3 * each) was merged and \(sum.value) delivered")
    context.expect(occupancy.maximum == 1, "on \(target.name), \(occupancy.maximum) handlers ran at once")
    source.cancel()
    context.record("elements", 3 * each)
  }
}

private func underMovement(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets().map(\.queue)
  let each = context.scaled(20_000, minimum: 1_000)
  let sum = Tally()
  let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: targets[0]) { sum.add($0) }
  let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: bench.dispatcher.threadQueues[0])
  try source.activate()
  try context.onThreads(4) { index, random in
    for step in 0..<each {
      if index < 2 {
        source.merge(1)
      } else if step % 50 == 0 {
        switch random.below(4) {
        case 0: try source.setTarget(random.pick(targets))
        case 1: try source.setTarget(queue)
        case 2: try queue.setTarget(random.pick(bench.dispatcher.threadQueues))
        default:
          source.suspend()
          if random.oneIn(2) { context.pause(.microseconds(50)) }
          source.resume()
        }
      }
    }
  }
  try context.eventually("\(2 * each) was delivered, got \(sum.value)", { sum.value >= 2 * each })
  for target in targets { try context.drain(target) }
  context.expect(sum.value == 2 * each, "\(2 * each) was merged and \(sum.value) delivered")
  source.cancel()
  context.record("elements", 2 * each)
}

private func cancelledInTheMiddle(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets()
  for round in 0..<context.scaled(300, minimum: 30) {
    let target = targets[round % targets.count]
    let (accepted, delivered, residue) = (Tally(), Tally(), Tally())
    let cancelled = context.latch()
    let hasEnded = Tally()
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { amount in
      if hasEnded.value != 0 { context.fail("on \(target.name), a delivery came after the cancel handler") }
      delivered.add(amount)
    }
    source.setCancelHandler { rest in
      residue.add(rest ?? 0)
      hasEnded.set(1)
      cancelled.signal()
    }
    try source.activate()
    try context.onThreads(3) { index, random in
      for step in 0..<200 {
        if index == 0 && step == 50 + random.below(100) { source.cancel() }
        if source.merge(1).isAccepted { accepted.add() }
      }
      if index == 0 { source.cancel() }
    }
    try cancelled.wait(for: "the cancel handler on \(target.name)")
    try context.drain(target.queue)
    context.expect(
      delivered.value + residue.value == accepted.value,
      "on \(target.name), \(accepted.value) was accepted, \(delivered.value) delivered, \(residue.value) left over")
    context.record("sources cancelled in the middle")
  }
}

private func residues(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for circumstance in ["never activated", "suspended", "empty", "drained", "pending"] {
      let rests = context.recorder(of: Int?.self)
      let delivered = Tally()
      let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) {
        delivered.add($0)
      }
      source.setCancelHandler { rests.append($0) }
      var wanted: Int? = 7
      switch circumstance {
      case "never activated":
        source.merge(3)
        source.merge(4)
      case "suspended":
        try source.activate()
        source.suspend()
        source.merge(7)
      case "drained":
        try source.activate()
        source.merge(7)
        try context.eventually("a delivery on \(target.name)", { delivered.value == 7 })
        try context.drain(target.queue)
        wanted = nil
      case "pending":
        // The delivery waits behind tasks that hold all workers when it is cancelled: it must not start.
        try source.activate()
        let gates = try bench.dispatcher.threadQueues.map { try context.hold($0) }
        source.merge(7)
        source.cancel()
        for gate in gates { gate.open() }
      default:
        try source.activate()
        wanted = nil
      }
      source.cancel()
      let all = try rests.wait(forCount: 1, of: "the cancel handler, \(circumstance), on \(target.name)")
      try context.drain(target.queue)
      context.expect(
        all == [wanted],
        "on \(target.name), \(circumstance), the residue was \(all); wanted \(wanted.map(String.init) ?? "nil")")
      context.expect(
        delivered.value == (circumstance == "drained" ? 7 : 0),
        "on \(target.name), \(circumstance), delivered: \(delivered.value)")
      context.record("residues")
    }
  }
}

private func droppedInTheMiddle(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let (delivered, residue) = (Tally(), Tally())
    let cancelled = context.latch()
    var source: MergingSource<Int, Int>? = bench.dispatcher.makeMergingSource(.sum, target: target.queue) {
      delivered.add($0)
    }
    source?.setCancelHandler { rest in
      residue.add(rest ?? 0)
      cancelled.signal()
    }
    try source?.activate()
    for _ in 0..<100 { source?.merge(1) }
    weak let observed = source
    source = nil
    try cancelled.wait(for: "the cancel handler of a merging source that was dropped on \(target.name)")
    try context.drain(target.queue)
    context.expect(
      delivered.value + residue.value == 100,
      "on \(target.name), dropped: 100 was accepted, \(delivered.value) delivered, \(residue.value) left over")
    try context.eventually("the dropped source is freed", { observed == nil })
    context.record("sources dropped")
  }
}

private func throwingMergeHandler(_ context: CheckContext) throws {
  let failures = context.recorder(of: TaskFailure.self)
  let bench = try context.bench { $0.errorHandler = { failures.append($0) } }
  for target in try bench.targets() {
    failures.removeAll()
    let delivered = Tally()
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { amount in
      delivered.add(amount)
      throw UserError(number: amount)
    }
    try source.activate()
    for round in 1...3 {
      source.merge(round)
      try failures.wait(forCount: round, of: "an error thrown on \(target.name)")
    }
    context.expect(delivered.value == 6, "on \(target.name), 6 was merged and \(delivered.value) delivered")
    context.expect(
      failures.all.allSatisfy { $0.kind == .eventHandler && $0.queueLabel == target.queue.label },
      "on \(target.name), the error handler was told \(failures.all)")
    source.cancel()
    context.record("handlers that threw", 3)
  }
}
