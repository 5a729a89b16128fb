import HawtDispatch

extension Rule {
  static let l3 = Rule(
    "L3", "shutdown drops timers, refuses outsiders, drains, joins; nothing vanishes, and it never hangs",
    why: "a server must stop without losing what it accepted, and stop even if something is stuck",
    whereToLook: ["Sources/HawtDispatch/Dispatcher: shutdown", "the chunk list's closed bit"],
    capabilities: [.processFiles],
    checks: [
      Check("pending timers are dropped and reported, new ones refused", timersAreDropped),
      Check("outside submissions are refused, running work may submit", outsidersAreRefused),
      Check("timers, activations and retargets, in running work, outside, and afterwards", usesAreRefused),
      Check("the error handler is told exactly what the report says, or nothing", errorHandlerIsTold),
      Check("every submission that races a shutdown is run or refused", everySubmissionAccounted),
      Check("registrations out, threads joined", nothingIsLeft),
      Check("a stuck thread is named and left behind", stuckThreadIsNamed),
      Check("what waits behind a stuck task is discarded, and does not run after a restart", stuckQueueIsDiscarded),
      Check("what can never run is discarded at the deadline and counted", discardedAtDeadline),
      Check("from a worker, twice, and concurrently", fromAnywhere),
      Check("a caller of sync is never left waiting", syncIsAnswered),
      Check("an item that its own task posted again, and dropped, lives until the task ends") { context in
        try context.expectSuccess(of: "item in flight")
      },
      Check("tasks that fill a queue while the shutdown looks at others are run", fillingBehindTheLook),
      Check("no task begins after the report", noneBeginsAfterTheReport),
      Check("tasks of a queue that nobody refers to are counted when they are discarded", discardedWithTheirQueue),
      Check("a queue that its last task suspended holds nothing up", suspendedByTheLastTask),
      Check("a thread that is held in its start is named and left behind", heldInItsStart),
      Check("a thread that is held in its end is named and left behind", heldInItsStop),
    ],
    scenarios: [Scenario("item in flight", itemOutlivesItsDiscard)])
}

private func timersAreDropped(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.make(dispatcher, "timers")
    let count = 50
    let handles = (0..<count).map { number in
      queue.asyncAfter(.seconds(20 + number)) { context.fail("a timer that shutdown dropped ran") }
    }
    let cancelled = handles.prefix(10).count { $0.cancel() }
    let gate = try context.hold(dispatcher.threadQueues[1])
    let reports = context.recorder(of: ShutdownReport.self)
    dispatcher.shutdown { reports.append($0) }
    let late = queue.asyncAfter(.milliseconds(1)) { context.fail("a timer armed after shutdown ran") }
    context.expect(late.submission == .refused(.shutDown), "a timer armed after shutdown was \(late.submission)")
    gate.open()
    let report = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    context.expect(
      report.droppedTimers == count - cancelled,
      "\(count - cancelled) timers pended, \(report.droppedTimers) are reported")
    context.expect(report.isClean, "a shutdown that dropped timers only was not clean: \(report)")
    context.record("timers dropped and reported", report.droppedTimers)
  }
}

private func outsidersAreRefused(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.make(dispatcher, "drains")
    let others: [any Queue] = [dispatcher.global(), dispatcher.threadQueues[1], dispatcher.makeSerialQueue()]
    let gate = context.gate()
    let ran = Tally()
    queue.async {
      gate.pass()
      // Work that is running may submit, to any queue, and so may what it submitted.
      for other in others + [queue] {
        let first = other.async {
          ran.add()
          let second = queue.async { ran.add() }
          context.expect(second.isAccepted, "work submitted by running work could not submit: \(second)")
        }
        context.expect(first.isAccepted, "running work could not submit to '\(other.label)': \(first)")
      }
    }
    for _ in 0..<100 { queue.async { ran.add() } }
    try gate.waitForArrivals()
    let reports = context.recorder(of: ShutdownReport.self)
    dispatcher.shutdown { reports.append($0) }
    for other in others + [queue] {
      let refused = other.async { context.fail("a refused task ran") }
      context.expect(refused == .refused(.shutDown), "an outside submission after shutdown was \(refused)")
      let item = other.async(WorkItem { context.fail("a refused item ran") })
      context.expect(item == .refused(.shutDown), "an outside item after shutdown was \(item)")
    }
    context.expect(reports.count == 0, "shutdown reported before what was accepted had run")
    gate.open()
    let report = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    context.expect(report.isClean && ran.value == 108, "\(kind): \(ran.value) of 108 tasks ran: \(report)")
    context.record("tasks drained by a shutdown", ran.value)
  }
}

private func everySubmissionAccounted(_ context: CheckContext) throws {
  for _ in 0..<context.scaled(25, minimum: 4) {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let kinds: [any Queue] = try QueueKind.allCases.map { try $0.make(dispatcher, $0.rawValue) } + [dispatcher.global()]
    let ran = Tally()
    let accepted = Tally()
    let refused = Tally()
    let reports = context.recorder(of: ShutdownReport.self)
    try context.onThreads(4) { index, random in
      if index == 0 {
        spin(.microseconds(random.below(600)))
        dispatcher.shutdown { reports.append($0) }
        // From here on nothing from outside may get in.
        let late = random.pick(kinds).async { ran.add() }
        if late.isAccepted { accepted.add() }
        context.expect(late == .refused(.shutDown), "a submission after shutdown had returned was \(late)")
        return
      }
      // Until the door is shut, and a little longer.
      var left = 20
      for _ in 0..<2_000_000 where left > 0 {
        if random.pick(kinds).async({ ran.add() }).isAccepted {
          accepted.add()
        } else {
          refused.add()
          left -= 1
        }
      }
    }
    let report = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    context.expect(
      ran.value + report.discardedTasks == accepted.value,
      "\(accepted.value) were accepted, \(ran.value) ran, \(report.discardedTasks) are reported as discarded")
    context.expect(report.isClean, "a shutdown without obstacles was not clean: \(report)")
    context.expect(refused.value == 60, "after a shutdown, \(refused.value) of 60 submissions were refused")
    context.record("submissions that raced a shutdown", accepted.value + refused.value)
  }
}

private func nothingIsLeft(_ context: CheckContext) throws {
  let settings = context.configuration(workers: 4)
  let dispatcher = try Dispatcher(configuration: settings)
  try context.eventually("4 workers have a thread each called '\(settings.name)…'") {
    Process.threadNames.count { $0.hasPrefix(settings.name) } == 4
  }
  var sources: [ReadinessSource] = []
  for number in 0..<12 {
    let pipe = try context.makePipe()
    let target: any Queue = number % 2 == 0 ? dispatcher.makeSerialQueue() : dispatcher.threadQueues[number % 4]
    let source = dispatcher.makeReadSource(pipe.readEnd, target: target) { _ in }
    source.setCancelHandler { context.fail("shutdown cancelled a source") }
    try source.activate()
    sources.append(source)
  }
  let report = dispatcher.shutdownAndWait()
  context.expect(report.isClean, "an idle dispatcher did not stop cleanly: \(report)")
  context.expectNoThreads(of: settings.name)
  for source in sources {
    context.expect(source.registeredWorker == nil, "a source is registered after shutdown")
    context.expect(!source.isCancelled, "shutdown cancelled a source")
    context.expect(PollerInspection.pollers(containing: source.descriptor).isEmpty, "the kernel still watches")
    // The check's own end drops them, which does cancel.
    source.setCancelHandler {}
  }
  context.record("threads joined and registrations out", 16)
}
