import HawtDispatch

extension Rule {
  /// C4: merging while nobody is told.
  static let c4 = Rule(
    "C4",
    "While suspended everything is kept and delivered as one on resume; merging after cancel is refused visibly.",
    why: "A pause must not be a loss; and a producer that goes on after the end has to notice it.",
    whereToLook: ["Sources/HawtDispatch/Sources/MergingSource.swift"],
    checks: [
      Check("kept while suspended, one delivery on the last resume", keptWhileSuspended),
      Check("kept before activation, one delivery then", keptBeforeActivation),
      Check("kept while the target is suspended", keptWhileTheTargetIs),
      Check("refused after cancel", refusedAfterCancel),
      Check("refused once any of several cancels has returned, none of which waits for a fold", cancelBesideAFold),
      Check("a life: activate twice, handlers after cancel, the cancel handler once", lifeOfAMergingSource),
    ])
}

private func keptWhileSuspended(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for target in try bench.targets() {
    let seen = context.recorder(of: Int.self)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { seen.append($0) }
    try source.activate()
    for round in 1...5 {
      source.suspend()
      source.suspend()
      try context.onThreads(3) { _, _ in
        for _ in 0..<100 where !source.merge(1).isAccepted {
          context.fail("a merge into a suspended source was refused")
        }
      }
      source.resume()
      try bench.settle(target.queue)
      context.expect(seen.count == round - 1, "on \(target.name), a suspended source delivered \(seen.all)")
      source.resume()
      try seen.wait(forCount: round, of: "the delivery on resume on \(target.name)")
      try bench.settle(target.queue)
      context.expect(
        seen.all == [Int](repeating: 300, count: round),
        "on \(target.name), 300 merges while suspended came as \(seen.all.dropFirst(round - 1))")
      context.record("merges while suspended", 300)
    }
    // Nothing was merged: resume alone delivers nothing.
    source.suspend()
    source.resume()
    try bench.settle(target.queue)
    context.expect(
      seen.count == 5, "on \(target.name), resume delivered \(seen.all.dropFirst(5)) though nothing was merged")
    source.cancel()
  }
}

private func cancelBesideAFold(_ context: CheckContext) throws {
  let bench = try context.bench()
  let (folding, residue) = (context.gate(), context.recorder(of: [Int].self))
  let aggregation = Aggregation<Int, [Int]>(first: { [$0] }) {
    folding.pass()
    $0.append($1)
  }
  let source = bench.dispatcher.makeMergingSource(aggregation, target: bench.dispatcher.global())
  source.setCancelHandler { residue.append($0 ?? []) }
  source.merge(1)
  let folded = context.recorder(of: Bool.self)
  Thread { folded.append(source.merge(2).isAccepted) }.detach()
  try folding.waitForArrivals()
  let cancelled = context.latch(2)
  for _ in 0..<2 {
    Thread {
      source.cancel()
      cancelled.signal()
    }.detach()
  }
  let returned = cancelled.wait(atMost: context.patience)
  context.expect(returned, "a cancel waited for the fold of an element, which is the user's code")
  // It meets the fold, which still goes on.
  let late = context.recorder(of: Bool.self)
  Thread { late.append(source.merge(3).isAccepted) }.detach()
  folding.open()
  try late.wait(forCount: 1, of: "a merge after two cancels")
  try folded.wait(forCount: 1, of: "a merge during which the source was cancelled")
  context.expect(late.all == [false], "a merge was accepted though a cancel had returned")
  context.expect(folded.all == [true], "an element that was being folded in was refused")
  try residue.wait(forCount: 1, of: "the residue")
  context.expect(residue.all == [[1, 2]], "the residue is \(residue.all)")
  context.record("cancels beside a fold", 2)
}

private func keptBeforeActivation(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let seen = context.recorder(of: [Int].self)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, [Int]>.list, target: target.queue) {
      seen.append($0)
    }
    for number in 0..<10 {
      context.expect(source.merge(number).isAccepted, "a merge before activation was refused")
    }
    try bench.settle(target.queue)
    context.expect(seen.count == 0, "on \(target.name), an inactive source delivered \(seen.all)")
    try source.activate()
    try seen.wait(forCount: 1, of: "what was merged before activation on \(target.name)")
    try bench.settle(target.queue)
    context.expect(seen.all == [Array(0..<10)], "on \(target.name), what was merged before came as \(seen.all)")
    source.cancel()
    context.record("merges before activation", 10)
  }
}

private func keptWhileTheTargetIs(_ context: CheckContext) throws {
  let bench = try context.bench()
  let outer = bench.dispatcher.makeSerialQueue(label: "outer")
  let inner = try bench.dispatcher.makeSerialQueue(label: "inner", target: outer)
  for suspended in [outer, inner] {
    let seen = context.recorder(of: Int.self)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: inner) { seen.append($0) }
    try source.activate()
    suspended.suspend()
    for _ in 0..<100 { source.merge(1) }
    try bench.settle()
    context.expect(seen.count == 0, "a source on a suspended queue (\(suspended.label)) delivered \(seen.all)")
    bench.expectCalm("merges into a source on a suspended queue")
    suspended.resume()
    try seen.wait(forCount: 1, of: "the delivery after the queue's resume")
    try bench.settle(inner)
    context.expect(
      seen.all.reduce(0, +) == 100 && seen.count == 1, "100 merges while the queue was suspended came as \(seen.all)")
    source.cancel()
    context.record("merges while the target was suspended", 100)
  }
}

private func refusedAfterCancel(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for wasActive in [true, false] {
      let answers = context.recorder(of: Submission.self)
      let cancelled = context.latch()
      let box = Shared<MergingSource<Int, Int>?>(nil)
      let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue) { _ in
        context.fail("on \(target.name), a refused merge was delivered")
      }
      source.setCancelHandler { _ in
        if let merged = box.with({ $0 })?.merge(1) { answers.append(merged) }
        cancelled.signal()
      }
      box.with { $0 = source }
      if wasActive { try source.activate() }
      source.cancel()
      answers.append(source.merge(1))
      try cancelled.wait(for: "the cancel handler on \(target.name)")
      answers.append(source.merge(1))
      try bench.settle(target.queue)
      context.expect(
        answers.all == [Submission](repeating: .refused(.cancelled), count: 3),
        "on \(target.name), merges after cancel were answered \(answers.all)")
      box.with { $0 = nil }
      context.record("merges after cancel", 3)
    }
  }
}

private func lifeOfAMergingSource(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let events = context.recorder(of: String.self)
    let source = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue)
    source.setEventHandler { events.append("\($0)") }
    source.setCancelHandler { _ in events.append(target.queue.isExecuting ? "cancelled" : "cancelled elsewhere") }
    try source.activate()
    try source.activate()
    source.merge(1)
    try events.wait(forCount: 1, of: "a delivery on \(target.name)")
    try context.onThreads(3) { _, _ in source.cancel() }
    context.expect(source.isCancelled, "cancel() returned and isCancelled is false")
    try events.wait(forCount: 2, of: "the cancel handler on \(target.name)")
    source.setEventHandler { _ in events.append("late") }
    source.setCancelHandler { _ in events.append("late cancelled") }
    source.cancel()
    try bench.settle(target.queue)
    context.expect(events.all == ["1", "cancelled"], "on \(target.name), there ran \(events.all)")
    let never = bench.dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: target.queue)
    never.cancel()
    var isRight = false
    if case .cancelled? = thrown(by: { try never.activate() }) as? SourceError { isRight = true }
    context.expect(isRight, "on \(target.name), activate() of a cancelled source did not throw .cancelled")
    context.record("lives")
  }
}
