import HawtDispatch

/// A worker is held beyond the deadline: the report names its thread, and the thread ends when it can.
func stuckThreadIsNamed(_ context: CheckContext) throws {
  let settings = context.configuration(workers: 2)
  let dispatcher = try Dispatcher(configuration: settings)
  let ran = Tally()
  let gate = try context.hold(dispatcher.threadQueues[1])
  let waiting = 25
  for _ in 0..<waiting { dispatcher.threadQueues[1].async { ran.add() } }
  let free = dispatcher.makeSerialQueue()
  for _ in 0..<10 { free.async { ran.add() } }
  let start = Moment.now
  let report = dispatcher.shutdownAndWait(deadline: .milliseconds(200))
  let took = start.elapsed
  context.expect(took >= .milliseconds(190), "shutdown gave up after \(took.brief) of a deadline of 200 ms")
  context.expect(took < .seconds(20), "a shutdown with a deadline of 200 ms took \(took.brief)")
  context.expect(report.stuckThreads.count == 1, "one thread is stuck, the report names \(report.stuckThreads)")
  context.expect(
    report.stuckThreads.allSatisfy { $0.hasPrefix(settings.name) }, "the stuck thread is called \(report.stuckThreads)")
  context.expect(!report.isClean, "a report with a stuck thread says it is clean")
  context.expect(
    report.discardedTasks == waiting, "\(waiting) tasks waited behind it, \(report.discardedTasks) are reported")
  context.expect(ran.value == 10, "\(ran.value) tasks ran, 10 could")
  gate.open()
  context.expectNoThreads(of: settings.name)
  context.expect(ran.value == 10, "a discarded task ran after all")
  context.record("stuck threads named and left behind", report.stuckThreads.count)
}

/// The same in a serial queue, which a restart gives another thread: what was reported as discarded must not run then.
func stuckQueueIsDiscarded(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.makeSerial(dispatcher, "stuck")
    let gate = try context.hold(queue)
    let ran = Tally()
    let freed = Tally()
    let waiting = 40
    for _ in 0..<waiting {
      let token = Token { freed.add() }
      queue.async {
        token.touch()
        ran.add()
      }
    }
    let report = dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    context.expect(report.stuckThreads.count == 1, "one thread is stuck, the report names \(report.stuckThreads)")
    context.expect(
      report.discardedTasks == waiting, "\(waiting) tasks waited, \(report.discardedTasks) are reported as discarded")
    try dispatcher.restart()
    let later = context.latch()
    context.expect(queue.async { later.signal() }.isAccepted, "after a restart, a stuck queue refused a task")
    gate.open()
    try later.wait(for: "a task that was submitted after the restart, on \(kind)")
    context.expect(ran.value == 0, "\(ran.value) tasks ran that had been reported as discarded")
    try context.eventually("what \(waiting) discarded tasks captured is released (\(freed.value))") {
      freed.value == waiting
    }
    context.record("tasks discarded behind a stuck one", waiting)
  }
}

/// Suspended, posting for ever, ready for ever: nothing keeps a shutdown from ending, and the count is exact.
func discardedAtDeadline(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let settings = context.configuration(workers: 2)
    let dispatcher = try Dispatcher(configuration: settings)
    let suspended = try kind.makeSerial(dispatcher, "suspended")
    suspended.suspend()
    let freed = Tally()
    for _ in 0..<30 {
      let token = Token { freed.add() }
      suspended.async {
        token.touch()
        context.fail("a task of a suspended queue ran during shutdown")
      }
    }
    let report = dispatcher.shutdownAndWait(deadline: .milliseconds(100))
    context.expect(report.discardedTasks == 30, "30 tasks were held, \(report.discardedTasks) are reported")
    context.expect(report.stuckThreads.isEmpty, "no thread was stuck, and \(report.stuckThreads) are named")
    context.expectNoThreads(of: settings.name)
    try context.eventually("what discarded tasks captured is released") { freed.value == 30 }
    suspended.resume()
    context.record("tasks of a suspended queue discarded", report.discardedTasks)
  }
  let settings = context.configuration(workers: 2)
  let dispatcher = try Dispatcher(configuration: settings)
  let submitted = Tally()
  let ran = Tally()
  @Sendable func postForEver(_ queue: SerialQueue) {
    if queue.async({
      ran.add()
      postForEver(queue)
    }).isAccepted {
      submitted.add()
    }
  }
  postForEver(dispatcher.makeSerialQueue())
  postForEver(try dispatcher.makeSerialQueue(target: dispatcher.threadQueues[0]))
  let pipe = try context.makePipe()
  pipe.write()
  let source = dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.global()) { _ in }
  try source.activate()
  let report = dispatcher.shutdownAndWait(deadline: .milliseconds(100))
  context.expect(
    ran.value + report.discardedTasks == submitted.value,
    "\(submitted.value) were accepted, \(ran.value) ran, \(report.discardedTasks) are reported as discarded")
  context.expectNoThreads(of: settings.name)
  context.record("tasks of endless queues accounted for", submitted.value)
}

/// Legal from a worker, several times, and at once: each caller is answered, on no worker.
func fromAnywhere(_ context: CheckContext) throws {
  for round in 0..<context.scaled(20, minimum: 4) {
    let settings = context.configuration(workers: 2)
    let dispatcher = try Dispatcher(configuration: settings)
    let reports = context.recorder(of: ShutdownReport.self)
    let answer: @Sendable (ShutdownReport) -> Void = { report in
      context.expect(Dispatcher.currentThreadQueue == nil, "a shutdown's completion ran on a worker")
      reports.append(report)
    }
    let queues: [any Queue] = [
      dispatcher.makeSerialQueue(), dispatcher.threadQueues[round % 2], dispatcher.global(.low),
    ]
    // The first to run may shut the door on the next.
    let asked = queues.count { $0.async { dispatcher.shutdown(completion: answer) }.isAccepted }
    try context.onThreads(2) { _, random in
      spin(.microseconds(random.below(100)))
      answer(dispatcher.shutdownAndWait())
    }
    let all = try reports.wait(forCount: 2 + asked, of: "the reports of shutdowns")
    context.expect(Set(all).count == 1, "shutdowns that were joined reported differently: \(all)")
    context.expect(all.allSatisfy(\.isClean), "a shutdown without obstacles was not clean: \(all[0])")
    let late = context.latch()
    dispatcher.shutdown { _ in late.signal() }
    try late.wait(for: "the completion of a shutdown after the shutdown")
    context.expectNoThreads(of: settings.name)
    context.record("shutdowns from anywhere", reports.count + 1)
  }
}

func syncIsAnswered(_ context: CheckContext) throws {
  for wayOut in ["drained", "discarded"] {
    let settings = context.configuration(workers: 2)
    let dispatcher = try Dispatcher(configuration: settings)
    let gate = try context.hold(dispatcher.threadQueues[0])
    let answers = context.recorder(of: String.self)
    let waiting = (0..<3).map { number in
      Thread {
        do {
          let value = try dispatcher.threadQueues[0].sync { number }
          answers.append(value == number ? "value" : "another's value")
        } catch let error as DispatcherError {
          if case .discarded = error { answers.append("discarded") } else { answers.append("\(error)") }
        } catch { answers.append("\(error)") }
      }
    }
    try context.eventually("three callers wait") { dispatcher.threadQueues[0].depth == 3 }
    if wayOut == "drained" {
      let ended = context.latch()
      dispatcher.shutdown { _ in ended.signal() }
      gate.open()
      try ended.wait(for: "the shutdown")
    } else {
      dispatcher.shutdownAndWait(deadline: .milliseconds(100))
    }
    let all = try answers.wait(forCount: 3, of: "answers to callers of sync")
    let wanted = wayOut == "drained" ? "value" : "discarded"
    context.expect(all.allSatisfy { $0 == wanted }, "callers of sync were answered \(all), not '\(wanted)'")
    gate.open()
    for thread in waiting { thread.join() }
    context.expectNoThreads(of: settings.name)
    context.record("callers of sync answered", all.count)
  }
}

/// The error handler is told once, before anybody is answered, and exactly what the report says; nothing given up, nothing
/// told.
func errorHandlerIsTold(_ context: CheckContext) throws {
  for (tasks, timers) in [(0, 0), (0, 7), (30, 0), (40, 9)] {
    let told = context.recorder(of: TaskFailure.self)
    let dispatcher = try context.makeDispatcher(workers: 2) { $0.errorHandler = { told.append($0) } }
    let suspended = dispatcher.makeSerialQueue(label: "suspended")
    suspended.suspend()
    for _ in 0..<tasks { suspended.async { context.fail("a discarded task ran") } }
    for number in 0..<timers { suspended.asyncAfter(.seconds(100 + number)) { context.fail("a dropped timer ran") } }
    // What has run, or was cancelled, is nothing that was given up.
    for thread in dispatcher.threadQueues { try context.drain(thread) }
    let cancelled = dispatcher.global().asyncAfter(.seconds(100)) {}
    context.expect(cancelled.cancel(), "a timer that is not due could not be cancelled")
    let answers = context.recorder(of: (report: ShutdownReport, told: Int).self)
    for _ in 0..<2 { dispatcher.shutdown(deadline: .milliseconds(50)) { answers.append(($0, told.count)) } }
    let report = try answers.wait(forCount: 2, of: "the answers of two shutdowns")[0].report
    let isNothing = tasks + timers == 0
    context.expect(
      report.discardedTasks == tasks && report.droppedTimers == timers,
      "\(tasks) tasks and \(timers) timers were given up, the report says \(report)")
    context.expect(
      answers.all.allSatisfy { $0.told == (isNothing ? 0 : 1) },
      "\(tasks) tasks and \(timers) timers were given up; the error handler had been told \(answers.all.map(\.told)) times"
    )
    for failure in told.all {
      let work = failure.error as? DiscardedWork
      context.expect(
        failure.kind == .discarded && work?.tasks == tasks && work?.timers == timers,
        "\(tasks) tasks and \(timers) timers were given up, the error handler was told: \(failure)")
      context.expect(failure.queueLabel.isEmpty, "what a shutdown gave up is told of queue '\(failure.queueLabel)'")
    }
    // Another shutdown, with nothing to give up, is no second occasion.
    try dispatcher.restart()
    suspended.resume()
    context.expect(dispatcher.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
    context.expect(told.count == (isNothing ? 0 : 1), "a clean shutdown told the error handler: \(told.all)")
    context.record(isNothing ? "clean shutdowns that told nothing" : "accounts told to the error handler")
  }
}
