import HawtDispatch

extension Rule {
  static let l4 = Rule(
    "L4", "shutdown unregisters sources and does not cancel them; restart revives queues and sources",
    why: "a service that stops and starts keeps its objects, and may do so for years",
    whereToLook: ["Dispatcher.restart", "re-registration of sources", "descriptors of a poller"],
    capabilities: [.processFiles],
    checks: [
      Check("queues, pinned ones and sources live on", everythingLivesOn),
      Check("suspensions, targets and readiness from while it was stopped", stateIsKept),
      Check("repeating timers, and one that is scheduled while stopped", timersLiveOn),
      Check("merging sources: what was accepted is delivered, over stops", mergingLivesOn),
      Check("signal sources, and signals from while it was stopped") { context in
        try context.expectSuccess(of: "signals")
      },
      Check("cancel while stopped", cancelWhileStopped),
      Check("restart is refused while it runs") { try refusedWhileRunning($0) },
      Check("1,000 restarts leave descriptors and threads as they were") { context in
        try context.expectSuccess(of: "many restarts")
      },
      Check("a restart beside the answer of a shutdown that found nothing to do") { context in
        try context.expectSuccess(of: "beside an answer")
      },
      Check("a restart beside the last reference to a queue that was full") { context in
        try context.expectSuccess(of: "beside a last reference")
      },
      Check("a cancel handler that waits on a suspended queue is owed over a restart", cancelHandlerIsOwed),
      Check("a low-water call that waits on a suspended queue is owed over restarts", lowWaterIsOwed),
      Check("joint handlers and completions behind a stuck task are owed over a restart", owedCallsLiveOn),
      Check("of those, what a dispatcher that nobody starts again owes goes with it", owedCallsGo),
    ],
    scenarios: [
      Scenario("signals", signalsLiveOn),
      Scenario("many restarts", manyRestarts),
      Scenario("beside an answer", restartBesideAnAnswer),
      Scenario("beside a last reference", restartBesideTheLastReference),
    ])
}

private func everythingLivesOn(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let pipe = try context.makePipe()
  let parent = try dispatcher.makeSerialQueue(label: "parent", target: dispatcher.threadQueues[1])
  var queues: [any Queue] = [dispatcher.global(.low), dispatcher.threadQueues[0], parent]
  for kind in QueueKind.serial { queues.append(try kind.make(dispatcher, kind.rawValue)) }
  let nested = try dispatcher.makeSerialQueue(label: "pinned and nested", target: parent)
  let handled = context.recorder(of: Int?.self)
  let source = dispatcher.makeReadSource(pipe.readEnd, target: nested) { _ in
    handled.append(Dispatcher.currentThreadQueue?.worker)
    _ = pipe.drain()
  }
  let cancelHandlers = Tally()
  source.setCancelHandler { cancelHandlers.add() }
  try source.activate()
  for round in 1...context.scaled(20, minimum: 4) {
    pipe.write()
    let seen = try handled.wait(forCount: round, of: "readiness after restart \(round - 1)")
    context.expect(seen.last == 1, "a pinned source was handled on another worker after a restart")
    for queue in queues { try context.drain(queue) }
    try context.drain(inTask: nested) {
      context.expect(Dispatcher.currentThreadQueue?.worker == 1, "a pinned queue ran elsewhere after a restart")
    }
    let report = dispatcher.shutdownAndWait()
    context.expect(report.isClean, "stop \(round) was not clean: \(report)")
    for queue in queues {
      context.expect(
        queue.async { context.fail("a refused task ran") } == .refused(.shutDown),
        "a stopped dispatcher accepted a task on '\(queue.label)'")
    }
    context.expect(source.registeredWorker == nil && !source.isCancelled, "a source is registered, or cancelled")
    try dispatcher.restart()
    try context.eventually("a pinned source is registered with its worker again") { source.registeredWorker == 1 }
    context.record("restarts")
  }
  context.expect(cancelHandlers.value == 0, "a restart ran a cancel handler")
  source.cancel()
  try context.eventually("the cancel handler runs once it is cancelled") { cancelHandlers.value == 1 }
}

private func stateIsKept(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let pipe = try context.makePipe()
  let suspended = dispatcher.makeSerialQueue(label: "suspended")
  let bytes = Tally()
  let queue = dispatcher.makeSerialQueue(label: "reads")
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in bytes.add(pipe.drain()) }
  try source.activate()
  let held = dispatcher.makeReadSource(try context.makePipe().readEnd, target: queue) { _ in }
  try held.activate()
  held.suspend()
  suspended.suspend()
  suspended.suspend()
  let report = dispatcher.shutdownAndWait()
  context.expect(report.isClean, "stopping with an empty suspended queue was not clean: \(report)")
  pipe.write(7)
  context.pause(.milliseconds(5))
  context.expect(bytes.value == 0, "a stopped dispatcher handled readiness")
  try dispatcher.restart()
  try context.eventually("readiness from while it was stopped is handled") { bytes.value == 7 }
  let ran = Tally()
  suspended.async { ran.add() }
  suspended.resume()
  for thread in dispatcher.threadQueues { try context.drain(thread) }
  context.pause(.milliseconds(2))
  context.expect(ran.value == 0, "a restart forgot a suspension")
  suspended.resume()
  try context.eventually("the queue runs when its last suspension ends") { ran.value == 1 }
  held.resume()
  source.cancel()
  held.cancel()
  context.record("states kept over a restart", 3)
}

private func cancelWhileStopped(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let cancelHandlers = Tally()
  var sources: [ReadinessSource] = []
  for pinned in [false, true] {
    let queue = dispatcher.makeSerialQueue(label: "cancelled")
    if pinned { try context.move(queue, to: dispatcher.threadQueues[1]) }
    let source = dispatcher.makeReadSource(try context.makePipe().readEnd, target: queue) { _ in }
    source.setCancelHandler { cancelHandlers.add() }
    try source.activate()
    sources.append(source)
  }
  context.expect(dispatcher.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
  for source in sources {
    source.cancel()
    source.cancel()
    context.expect(source.isCancelled, "a source cancelled while stopped is not")
  }
  try dispatcher.restart()
  try context.eventually("cancel handlers run after the restart at the latest") { cancelHandlers.value == 2 }
  for queue in dispatcher.threadQueues { try context.drain(queue) }
  context.expect(cancelHandlers.value == 2, "cancel handlers ran \(cancelHandlers.value) times for 2 sources")
  context.expect(dispatcher.metrics.allSatisfy { $0.registrations == 0 }, "a cancelled source was registered again")
  context.record("sources cancelled while stopped", 2)
}

private func refusedWhileRunning(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let queue = dispatcher.makeSerialQueue()
  do {
    try dispatcher.restart()
    context.fail("a running dispatcher was restarted")
  } catch {
    context.expect(error == .running(dispatcher: dispatcher.name), "restart threw \(error)")
    context.record("refused restarts")
  }
  try context.drain(queue)
}

/// In a process of its own: nobody else opens descriptors or starts threads.
private func manyRestarts(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let pipe = try context.makePipe()
  let handled = Tally()
  let queue = try dispatcher.makeSerialQueue(label: "restarted", target: dispatcher.threadQueues[0])
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in handled.add(pipe.drain()) }
  try source.activate()
  let total = context.scaled(1_000, minimum: 50)
  /// One cycle, with something running and a source that is served in each life.
  func cycle(_ number: Int) throws {
    pipe.write()
    try context.eventually("byte \(number) is handled") { handled.value == number }
    let report = dispatcher.shutdownAndWait()
    context.expect(report.isClean, "stop \(number) was not clean: \(report)")
    try dispatcher.restart()
  }
  // The first few may open what then stays (a log, a registry).
  for number in 1...3 { try cycle(number) }
  try context.drain(queue)
  let descriptors = Process.descriptors.count
  let threads = Process.threadCount
  for number in 4...total { try cycle(number) }
  try context.drain(queue)
  try context.eventually("threads that were joined are gone", within: .seconds(5)) { Process.threadCount <= threads }
  let now = Process.descriptors
  context.expect(
    now.count == descriptors, "\(total) restarts took descriptors from \(descriptors) to \(now.count): \(now)")
  context.record("restarts without a leak", total)
  source.cancel()
}
