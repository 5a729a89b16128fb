import Glibc
import HawtDispatch

// L3, the part about what a dispatcher that closes, or has stopped, refuses.

/// One of each sort of source on a queue of its own: inactive ones, and a timer and a merging source that are active.
private struct Subjects {
  let context: CheckContext
  let dispatcher: Dispatcher
  let queue: SerialQueue
  let target: SerialQueue
  let pipe: Pipe
  let reader: ReadinessSource
  let timer: TimerSource
  let activeTimer: TimerSource
  let signal: SignalSource
  let merging: MergingSource<Int, Int>
  let events: Recorder<String>
  let merged = Tally()
  let mergesAccepted = Tally()

  init(_ context: CheckContext, _ dispatcher: Dispatcher, on kind: QueueKind) throws {
    self.context = context
    self.dispatcher = dispatcher
    let events = context.recorder(of: String.self)
    self.events = events
    queue = try (kind == .thread ? QueueKind.pinned : kind).makeSerial(dispatcher, "subjects")
    target = dispatcher.makeSerialQueue(label: "target")
    let pipe = try context.makePipe()
    self.pipe = pipe
    pipe.write()
    reader = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      _ = pipe.drain()
      events.append("reader")
    }
    reader.setCancelHandler { events.append("the reader's cancel handler") }
    timer = dispatcher.makeTimerSource(target: queue) { _ in events.append("timer") }
    timer.schedule(after: .zero)
    activeTimer = dispatcher.makeTimerSource(target: queue) { _ in events.append("active timer") }
    try activeTimer.activate()
    signal = dispatcher.makeSignalSource(SIGURG, target: queue) { _ in }
    merging = dispatcher.makeMergingSource(.sum, target: queue) { [merged] (sum: Int) in merged.add(sum) }
    try merging.activate()
  }

  /// What is refused to everybody, running work included.
  func expectRefusals(_ moment: String) {
    for clock in TimerClock.allCases {
      for queue in [queue, dispatcher.global(), dispatcher.threadQueues[0]] as [any Queue] {
        let late = queue.asyncAfter(.zero, clock: clock, leeway: .zero) { events.append("a refused timer") }
        context.expect(
          late.submission == .refused(.shutDown), "\(moment), a new timer on '\(queue.label)' was \(late.submission)")
        context.expect(late.cancel(), "\(moment), a timer that was refused could not be cancelled")
      }
    }
    expect(SourceError.stopped(dispatcher: dispatcher.name), "\(moment), activate() of a reader") {
      try reader.activate()
    }
    expect(SourceError.stopped(dispatcher: dispatcher.name), "\(moment), activate() of a timer") {
      try timer.activate()
    }
    expect(SourceError.stopped(dispatcher: dispatcher.name), "\(moment), activate() of a signal source") {
      try signal.activate()
    }
    let stopped = DispatcherError.stopped(dispatcher: dispatcher.name)
    let heard: @Sendable (SerialQueue.RetargetOutcome) -> Void = { events.append("a refused retarget was \($0)") }
    expect(stopped, "\(moment), a queue's retarget") { try queue.setTarget(target, completion: heard) }
    expect(stopped, "\(moment), a reader's retarget") { try reader.setTarget(target, completion: heard) }
    expect(stopped, "\(moment), a timer's retarget") { try timer.setTarget(target) }
    expect(stopped, "\(moment), a merging source's retarget") { try merging.setTarget(target) }
    // Legal, and without effect before a restart.
    activeTimer.schedule(after: .zero)
    context.record("refusals \(moment)", 13)
  }

  /// What is refused to outsiders alone.
  func expectOutsiderRefusals(_ moment: String) {
    let task = queue.async { events.append("a refused task") }
    context.expect(task == .refused(.shutDown), "\(moment), a task was \(task)")
    let merge = merging.merge(1_000_000)
    context.expect(merge == .refused(.shutDown), "\(moment), a merge was \(merge)")
    expect(DispatcherError.refused(queue: queue.label, .shutDown), "\(moment), sync") { try queue.sync {} }
    let new = dispatcher.makeSerialQueue(label: "new")
    let late = new.async { events.append("a refused task") }
    context.expect(late == .refused(.shutDown), "\(moment), a task for a new queue was \(late)")
  }

  /// What running work may still do.
  func expectLegalInside() {
    let task = queue.async { events.append("task") }
    context.expect(task.isAccepted, "running work submitted a task, which was \(task)")
    let merge = merging.merge(7)
    context.expect(merge.isAccepted, "running work merged, which was \(merge)")
    if merge.isAccepted { mergesAccepted.add(7) }
  }

  private func expect<Failure: Error & Equatable>(_ wanted: Failure, _ what: String, _ body: () throws -> Void) {
    let error = thrown(by: body)
    context.expect(error as? Failure == wanted, "\(what): \(error.map { "\($0)" } ?? "no error")")
  }
}

/// Refused with the reason in its type, in the middle of a shutdown and after it; what was refused is as it was before, and
/// is granted after a restart.
func usesAreRefused(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let subjects = try Subjects(context, dispatcher, on: kind)
    let formerTarget = subjects.queue.target.label
    let gate = context.gate()
    let worker = dispatcher.threadQueues[1]
    worker.async {
      gate.pass()
      subjects.expectRefusals("in running work while it closes")
      subjects.expectLegalInside()
    }
    try gate.waitForArrivals()
    let reports = context.recorder(of: ShutdownReport.self)
    dispatcher.shutdown { reports.append($0) }
    subjects.expectRefusals("outside while it closes")
    subjects.expectOutsiderRefusals("outside while it closes")
    context.expect(reports.count == 0, "a shutdown ended while a task was held")
    gate.open()
    let report = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    context.expect(report.isClean && report.droppedTimers == 0, "a shutdown without obstacles reported \(report)")
    subjects.expectRefusals("after it has stopped")
    subjects.expectOutsiderRefusals("after it has stopped")
    context.expect(subjects.events.all == ["task"], "\(kind): of what was refused there ran \(subjects.events.all)")
    context.expect(
      subjects.merged.value == subjects.mergesAccepted.value,
      "\(subjects.mergesAccepted.value) was merged while it closed, \(subjects.merged.value) was delivered")
    context.expect(subjects.queue.target.label == formerTarget, "a refused retarget changed the target")
    try dispatcher.restart()
    try subjects.reader.activate()
    try subjects.timer.activate()
    try subjects.signal.activate()
    try context.move(subjects.queue, to: subjects.target)
    let seen = try subjects.events.wait(forCount: 4, of: "sources that were refused, after a restart (\(kind))")
    context.expect(
      seen.dropFirst().sorted() == ["active timer", "reader", "timer"], "\(kind): after a restart there ran \(seen)")
    subjects.reader.setCancelHandler {}
    subjects.reader.cancel()
    subjects.signal.cancel()
    try context.drain(subjects.queue)
    context.expect(subjects.events.count == 4, "\(kind): after a restart there ran \(subjects.events.all)")
  }
}
