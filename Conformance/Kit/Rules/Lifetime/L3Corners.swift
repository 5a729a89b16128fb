import HawtDispatch

// L3, the part about corners: what is neither a task in flight nor one that waits.

/// The task hands its own item on, lets its last reference go, and blocks. The item is then owned by nothing but the
/// entry that waits, which the shutdown discards, while the task still uses what it captured.
///
/// In a process of its own: a task whose captures are gone may do anything.
func itemOutlivesItsDiscard(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let settings = context.configuration(workers: 1)
    let dispatcher = try Dispatcher(configuration: settings)
    let queue = try kind.make(dispatcher, "item")
    let freed = Tally()
    let gate = context.gate()
    let runs = Tally()
    submitSelfPostingItem(to: queue, freed: freed, runs: runs, gate: gate)
    try gate.waitForArrivals()
    let report = dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    context.expect(report.discardedTasks == 1, "\(kind): one item waited, \(report.discardedTasks) are discarded")
    context.expect(
      report.stuckThreads.count == 1, "\(kind): one thread is held, the report names \(report.stuckThreads)")
    try context.require(freed.value == 0, "\(kind): what an item captured was released while its task ran")
    gate.open()
    context.expectNoThreads(of: settings.name)
    try context.eventually("what the item captured is released after its task (\(kind))") { freed.value == 1 }
    context.expect(runs.value == 1, "\(kind): an item that was discarded ran \(runs.value) times")
    context.record("items discarded while their task ran")
  }
}

/// In a function of its own, so that no local keeps the item or what it captures.
private func submitSelfPostingItem(to queue: any Queue, freed: Tally, runs: Tally, gate: Gate) {
  let box = Shared<WorkItem?>(nil)
  let token = Token { freed.add() }
  let item = WorkItem { [token] in
    runs.add()
    box.with { item in
      if let item { queue.async(item) }
      item = nil
    }
    gate.pass()
    token.touch()
  }
  box.with { $0 = item }
  queue.async(item)
}

/// A queue that the drain had looked at is filled by one that it had not come to yet: a look that goes from queue to queue
/// finds each of them empty, and must not take that for the end.
func fillingBehindTheLook(_ context: CheckContext) throws {
  // One worker, which is busy from the resume to the end of the look, so that nothing but the queues can tell.
  let dispatcher = try context.makeDispatcher(workers: 1) { $0.idleSpin = .zero }
  let filling = dispatcher.makeSerialQueue(label: "looked at last")
  // A look takes long enough for a task to run meanwhile.
  let between = (0..<context.scaled(60_000, minimum: 30_000)).map { _ in dispatcher.makeSerialQueue() }
  let filled = dispatcher.makeSerialQueue(label: "looked at first")
  var random = context.random()
  for round in 0..<context.scaled(60, minimum: 30) {
    let ran = Tally()
    let count = 24
    filling.suspend()
    filling.async {
      for _ in 0..<count {
        filled.async {
          spin(.milliseconds(1))
          ran.add()
        }
      }
    }
    try context.settle(dispatcher)
    let reports = context.recorder(of: ShutdownReport.self)
    let start = Moment.now
    dispatcher.shutdown(deadline: .seconds(10)) { reports.append($0) }
    // The call itself goes over all queues twice, and the look comes after one more such walk.
    spin(.nanoseconds(random.below(Int(start.elapsed.inNanoseconds) * 3 / 2)))
    filling.resume()
    let report = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    try context.require(
      report.isClean && ran.value == count,
      "round \(round): \(ran.value) of \(count) tasks ran, and a shutdown with a deadline of 10 s gave up after "
        + "\(start.elapsed.brief): \(report)")
    context.record("shutdowns beside a resume")
    try dispatcher.restart()
  }
  withExtendedLifetime(between) {}
}

/// The deadline comes in the midst of many short tasks, or of one that ends about when the shutdown stops waiting for it:
/// each task has begun by the time of the report, or is counted in it, and then never begins.
func noneBeginsAfterTheReport(_ context: CheckContext) throws {
  // As long as the shutdown waits, beyond its deadline, for a thread on its way out.
  let lengths: [Duration] = [.microseconds(300), .milliseconds(60)] + (0..<8).map { .milliseconds(100 + 10 * $0) }
  for (index, length) in lengths.enumerated() {
    let kind = QueueKind.allCases[index % QueueKind.allCases.count]
    let settings = context.configuration(workers: 2)
    let dispatcher = try Dispatcher(configuration: settings)
    let queues: [any Queue] = [try kind.make(dispatcher, "busy"), dispatcher.global()]
    let begun = Tally()
    let count = length < .milliseconds(10) ? 2_000 : 12
    for _ in 0..<count {
      for queue in queues {
        queue.async {
          begun.add()
          context.pause(length)
        }
      }
    }
    try context.eventually("a task begins") { begun.value > 0 }
    let reports = context.recorder(of: (report: ShutdownReport, begun: Int).self)
    dispatcher.shutdown(deadline: .milliseconds(30)) { reports.append(($0, begun.value)) }
    let (report, atReport) = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    context.expectNoThreads(of: settings.name)
    context.expect(
      begun.value == atReport,
      "\(kind), tasks of \(length.brief): \(begun.value - atReport) began after the shutdown had reported \(report)")
    context.expect(
      atReport + report.discardedTasks == 2 * count,
      "\(kind), tasks of \(length.brief): of \(2 * count), \(atReport) began: \(report)")
    withExtendedLifetime(queues) {}
    context.record("tasks discarded at a deadline", report.discardedTasks)
  }
}

/// Tasks keep their queue; one that nobody else refers to any more goes with the last of them, and they are counted all the
/// same.
func discardedWithTheirQueue(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let settings = context.configuration(workers: 1)
    let dispatcher = try Dispatcher(configuration: settings)
    let gate = try context.hold(dispatcher.threadQueues[0])
    let freed = Tally()
    let waiting = 25
    do {
      let queue = try kind.makeSerial(dispatcher, "dropped")
      for _ in 0..<waiting {
        let token = Token { freed.add() }
        queue.async {
          token.touch()
          context.fail("\(kind): a discarded task ran")
        }
      }
    }
    let report = dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    context.expect(
      report.discardedTasks == waiting,
      "\(kind): \(waiting) tasks waited on a queue that nobody refers to, \(report.discardedTasks) are reported")
    gate.open()
    context.expectNoThreads(of: settings.name)
    try context.eventually("what discarded tasks captured is released (\(kind): \(freed.value))") {
      freed.value == waiting
    }
    context.record("tasks discarded with their queue", waiting)
  }
}

/// A suspension holds nothing up where nothing waits, whoever suspended.
func suspendedByTheLastTask(_ context: CheckContext) throws {
  let deadline = Duration.seconds(30)
  for kind in QueueKind.serial {
    for suspendsParent in [false, true] {
      // The first that fails has cost the whole deadline.
      if context.hasFailed { return }
      let dispatcher = try context.makeDispatcher(workers: 2)
      let queue = try kind.makeSerial(dispatcher, "suspended")
      let runner = suspendsParent ? try dispatcher.makeSerialQueue(label: "child", target: queue) : queue
      runner.async { queue.suspend() }
      try context.eventually("the task has suspended its queue and ended (\(runner.state), \(queue.state))") {
        queue.state == .suspended(count: 1) && (runner == queue || runner.state != .running)
      }
      try context.settle(dispatcher)
      let start = Moment.now
      let report = dispatcher.shutdownAndWait(deadline: deadline)
      let name = "\(kind)\(suspendsParent ? ", suspended by its child's task" : ", suspended by its own task")"
      context.expect(report.isClean, "\(name): nothing waited, and the report is \(report)")
      context.expect(
        start.elapsed < deadline / 2, "\(name): nothing waited, and the shutdown took \(start.elapsed.brief)")
      queue.resume()
      context.record("shutdowns with a queue that its last task suspended")
    }
  }
}

/// A thread that is held before its first round is held as well: it is left behind like one in a task.
func heldInItsStart(_ context: CheckContext) throws {
  let gate = context.gate()
  var settings = context.configuration(workers: 2)
  settings.onWorkerStart = { if $0 == 1 { gate.pass() } }
  let dispatcher = try Dispatcher(configuration: settings)
  try gate.waitForArrivals()
  let ran = Tally()
  for _ in 0..<5 { dispatcher.threadQueues[1].async { ran.add() } }
  try context.drain(dispatcher.threadQueues[0])
  let reports = context.recorder(of: ShutdownReport.self)
  let ended = context.latch()
  dispatcher.shutdown(deadline: .milliseconds(100)) {
    reports.append($0)
    ended.signal()
  }
  let cameInTime = ended.wait(atMost: .seconds(10))
  context.expect(cameInTime, "a shutdown with a deadline of 100 ms waits for a thread that is held in onWorkerStart")
  if let report = reports.all.first {
    context.expect(
      report.stuckThreads.count == 1 && report.stuckThreads.allSatisfy { $0.hasPrefix(settings.name) },
      "one thread is held in onWorkerStart, the report names \(report.stuckThreads)")
    context.expect(
      report.discardedTasks == 5, "5 tasks waited behind it, \(report.discardedTasks) are reported as discarded")
  }
  gate.open()
  try ended.wait(for: "the shutdown")
  context.expectNoThreads(of: settings.name)
  if cameInTime { context.expect(ran.value == 0, "\(ran.value) tasks ran that had been discarded") }
  context.record("threads held in their start and left behind")
}

/// So is one that is held in the hook at its end, though nothing was left to do.
func heldInItsStop(_ context: CheckContext) throws {
  let gate = context.gate()
  var settings = context.configuration(workers: 2)
  settings.onWorkerStop = { if $0 == 1 { gate.pass() } }
  let dispatcher = try Dispatcher(configuration: settings)
  for queue in dispatcher.threadQueues { try context.drain(queue) }
  let reports = context.recorder(of: ShutdownReport.self)
  dispatcher.shutdown(deadline: .milliseconds(100)) { reports.append($0) }
  let report = try reports.wait(forCount: 1, of: "a shutdown beside a thread that is held in onWorkerStop")[0]
  context.expect(
    report.stuckThreads.count == 1 && report.discardedTasks == 0,
    "one thread is held in onWorkerStop, nothing waited: \(report)")
  gate.open()
  context.expectNoThreads(of: settings.name)
  context.record("threads held in their end and left behind")
}
