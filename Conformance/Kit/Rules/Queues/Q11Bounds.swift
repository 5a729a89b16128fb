import HawtDispatch

extension Rule {
  static let q11 = Rule(
    "Q11", "a depth can be read; a bounded queue refuses user submissions at its limit, and tells low water once",
    why: "back-pressure needs a limit that holds and a signal that is never lost",
    whereToLook: [QueueFiles.serial, "QueueLimit", "the depth counter"],
    checks: [
      Check("depth counts what waits, not what runs", depthIsExact),
      Check("depth is never too high, however often it is read meanwhile", depthIsNeverTooHigh),
      Check("the limit refuses tasks and items, never timers or events", limitHolds),
      Check("low water is told once after each spell of refusals", lowWaterOnce),
      Check("producers that wait for low water all get through", producersUnderPressure),
    ])
}

private func depthIsExact(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.make(dispatcher, "depth")
    context.expect(queue.depth == 0, "\(kind): a new queue's depth is \(queue.depth)")
    let gate = try context.hold(queue)
    context.expect(queue.depth == 0, "\(kind): the running task counts: \(queue.depth)")
    for number in 1...50 {
      queue.async {}
      context.expect(queue.depth == number, "\(kind): \(number) tasks wait, the depth says \(queue.depth)")
    }
    context.record("depths read", 50)
    gate.open()
    try context.drain(queue)
    try context.eventually("an idle queue's depth is 0") { queue.depth == 0 }
  }
  let dispatcher = try context.makeDispatcher(workers: 1)
  let gate = try context.hold(dispatcher.threadQueues[0])
  for _ in 0..<20 { dispatcher.global(.low).async {} }
  context.expect(dispatcher.global(.low).depth == 20, "a global queue's depth is \(dispatcher.global(.low).depth)")
  context.expect(dispatcher.global(.high).depth == 0, "another global queue's depth is not 0")
  gate.open()
  try context.eventually("an idle global queue's depth is 0") { dispatcher.global(.low).depth == 0 }
}

/// One task waits at a time, while another thread reads the depth without a pause: a reading that is put together from two
/// moments would count what has come and gone between them.
private func depthIsNeverTooHigh(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.make(dispatcher, "read")
    let left = Tally(context.scaled(1_000_000, minimum: 100_000))
    @Sendable func again() {
      if left.add(-1) > 0 { queue.async { again() } }
    }
    queue.async { again() }
    var deepest = 0
    var readings = 0
    let start = Moment.now
    while left.value > 0, deepest <= 1, start.elapsed < context.patience {
      for _ in 0..<1_000 { deepest = max(deepest, queue.depth) }
      readings += 1_000
    }
    left.set(0)
    context.expect(deepest <= 1, "\(kind): one task waits at a time, the depth said \(deepest)")
    context.record("depths read while tasks ran", readings)
    try context.drain(queue)
  }
}

private func limitHolds(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for limit in [1, 2, 17, 1_000] {
    let queue = dispatcher.makeSerialQueue(label: "bounded", limit: QueueLimit(maximum: limit, lowWater: 0))
    let gate = try context.hold(queue)
    let ran = Tally()
    let mustNotRun: @Sendable () -> Void = { context.fail("a refused task ran") }
    for _ in 0..<limit {
      context.expect(queue.async { ran.add() }.isAccepted, "a task below the limit of \(limit) was refused")
    }
    for _ in 0..<5 {
      context.expect(
        queue.async(mustNotRun) == .refused(.queueFull(limit: limit)), "the limit of \(limit) did not hold")
      context.expect(
        queue.async(WorkItem(mustNotRun)) == .refused(.queueFull(limit: limit)), "the limit did not hold for an item")
    }
    context.expect(queue.depth == limit, "the depth is \(queue.depth) at the limit of \(limit)")
    // A full queue must still take what nobody could submit later: timers and events.
    let special = context.latch(3)
    let timer = queue.asyncAfter(.zero) { special.signal() }
    context.expect(timer.submission.isAccepted, "a timer was refused by a full queue")
    let pipe = try context.makePipe()
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { event in
      event.cancel()
      special.signal()
    }
    try source.activate()
    pipe.write()
    let merging = dispatcher.makeMergingSource(.sum, target: queue) { (_: Int) in special.signal() }
    try merging.activate()
    context.expect(merging.merge(1).isAccepted, "a merge was refused because its queue is full")
    // All three must have found the queue full before it gets room.
    context.pause(.milliseconds(5))
    gate.open()
    try special.wait(for: "a timer and two events on a queue that was full")
    try context.eventually("the accepted tasks have run") { ran.value == limit }
    let again = context.latch()
    context.expect(queue.async { again.signal() }.isAccepted, "a queue with room again refused a task")
    try again.wait(for: "a task after a spell of refusals")
    context.record("limits that held")
  }
}

private func lowWaterOnce(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let told = context.recorder(of: Int.self)
  let box = Shared<SerialQueue?>(nil)
  let limit = QueueLimit(maximum: 10, lowWater: 3) {
    guard let queue = box.with({ $0 }) else { return }
    context.expect(queue.isExecuting, "low water was not told on the queue")
    told.append(queue.depth)
  }
  let queue = dispatcher.makeSerialQueue(label: "low water", limit: limit)
  box.with { $0 = queue }
  for spell in 1...20 {
    let gate = try context.hold(queue)
    var refusals = 0
    for _ in 0..<15 where !queue.async({}).isAccepted { refusals += 1 }
    context.expect(refusals == 5, "of 15 tasks, 10 allowed, \(refusals) were refused")
    context.expect(told.count == spell - 1, "low water was told while the queue was full")
    gate.open()
    try told.wait(forCount: spell, of: "low-water calls")
    try context.eventually("the queue is empty") { queue.depth == 0 }
    try context.drain(queue)
    context.expect(told.count == spell, "\(told.count) low-water calls after \(spell) spells of refusals")
    context.record("spells of refusals")
  }
  for depth in told.all { context.expect(depth <= 3, "low water of 3 was told at a depth of \(depth)") }
  // Without a refusal there is nobody to tell.
  for _ in 0..<3 {
    let gate = try context.hold(queue)
    for _ in 0..<10 { queue.async {} }
    gate.open()
    try context.eventually("the queue is empty") { queue.depth == 0 }
  }
  context.expect(told.count == 20, "low water was told although nothing had been refused")
  box.with { $0 = nil }
}

/// Producers that go to sleep at a refusal hang if one low-water call is lost.
private func producersUnderPressure(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let spells = Shared(0)
  let maximum = 8
  let queue = dispatcher.makeSerialQueue(
    label: "pressed", limit: QueueLimit(maximum: maximum, lowWater: 2) { spells.with { $0 += 1 } })
  let each = context.scaled(20_000, minimum: 500)
  let producers = 3
  let ran = Tally()
  let refused = Tally()
  let deepest = Tally()
  try context.onThreads(producers) { _, _ in
    for _ in 0..<each {
      while true {
        let seen = spells.with { $0 }
        if queue.async({ ran.add() }).isAccepted { break }
        refused.add()
        deepest.raise(to: queue.depth)
        guard spells.wait(atMost: context.patience, until: { $0 != seen }) else {
          throw CheckFailure("a refused producer was never told of low water")
        }
      }
    }
  }
  try context.eventually("every accepted task has run") { ran.value == producers * each }
  context.expect(deepest.value <= maximum, "a queue bounded to \(maximum) was \(deepest.value) deep")
  context.expect(refused.value > 0, "nothing was ever refused")
  context.record("accepted under pressure", ran.value)
  context.record("refusals waited out", refused.value)
}
