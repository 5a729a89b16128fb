import HawtDispatch

// L5, the part about what a stopped dispatcher is still referred to by. Each in a process of its own, where descriptors
// are counted: a worker has some, and gives them back with its dispatcher.

/// Has lives lived, one after the other, and waits until the descriptors of all are closed.
private func expectNothingLeft(
  _ context: CheckContext, of what: String, lives: Int = 10, _ live: (_ number: Int) throws -> Void
) throws {
  // The first one may open what then stays; the rest of its descriptors goes.
  let start = Process.descriptors.count
  try Dispatcher(configuration: context.configuration()).shutdownAndWait()
  _ = thrown { try context.eventually("nothing stays", within: .seconds(1)) { Process.descriptors.count <= start } }
  let before = Process.descriptors.count
  for number in 0..<lives { try live(number) }
  var now = before
  try context.eventually("after \(what), \(now - before) descriptors are closed", within: .seconds(5)) {
    now = Process.descriptors.count
    return now <= before
  }
  context.record("lives that left nothing: \(what)", lives)
}

/// The thread that was left behind comes back when nobody knows its dispatcher any more.
func threadComesBack(_ context: CheckContext) throws {
  try expectNothingLeft(context, of: "the return of a thread that was left behind") { number in
    let gate = context.gate()
    let settings = context.configuration(workers: 1)
    do {
      let dispatcher = try Dispatcher(configuration: settings)
      let queue = try QueueKind.allCases[number % QueueKind.allCases.count].make(dispatcher, "left behind")
      queue.async { gate.pass() }
      if number % 2 == 0 { queue.async {} }
      try gate.waitForArrivals()
      let report = dispatcher.shutdownAndWait(deadline: .milliseconds(20))
      context.expect(report.stuckThreads.count == 1, "one thread is held, the report names \(report.stuckThreads)")
    }
    gate.open()
    context.expectNoThreads(of: settings.name)
  }
}

/// A joint handler that is owed, and will never run: it must not keep what it would have run on.
func jointHandlerGoes(_ context: CheckContext) throws {
  let freed = Tally()
  let lives = 10
  try expectNothingLeft(context, of: "a joint handler that never ran", lives: lives) { number in
    let pipe = try Pipe()
    defer { pipe.close() }
    let dispatcher = try Dispatcher(configuration: context.configuration(workers: 1))
    let queue = dispatcher.makeSerialQueue(label: "joint")
    let token = Token { freed.add() }
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in }
    if number % 2 == 0 { try source.activate() }
    dispatcher.whenCancelled([source], on: queue) { token.touch() }
    context.expect(dispatcher.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
  }
  try context.eventually("what \(lives) joint handlers captured is released (\(freed.value))") { freed.value == lives }
}

/// Handlers are released after a cancel, also of a stopped dispatcher: that is what breaks the circle from a queue over
/// its source and the source's handler back to the queue.
func circleThroughAHandler(_ context: CheckContext) throws {
  for sort in ["readiness", "timer", "merging"] {
    for isCancelled in [true, false] {
      let what = "a \(sort) source that was \(isCancelled ? "cancelled" : "dropped") after the shutdown"
      let problem = thrown {
        try expectNothingLeft(context, of: what) { _ in try liveInACircle(context, sort, isCancelled: isCancelled) }
      }
      if let problem { context.fail("\(problem)") }
    }
  }
}

private func liveInACircle(_ context: CheckContext, _ sort: String, isCancelled: Bool) throws {
  let pipe = try Pipe()
  defer { pipe.close() }
  let dispatcher = try Dispatcher(configuration: context.configuration(workers: 1))
  let queue = dispatcher.makeSerialQueue(label: "captured")
  func end(_ cancel: () -> Void) {
    context.expect(dispatcher.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
    if isCancelled { cancel() }
  }
  switch sort {
  case "readiness":
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in _ = queue.depth }
    try source.activate()
    end { source.cancel() }
  case "timer":
    let timer = dispatcher.makeTimerSource(target: queue) { _ in _ = queue.depth }
    timer.schedule(after: .seconds(1_000))
    try timer.activate()
    end { timer.cancel() }
  default:
    let merging = dispatcher.makeMergingSource(.sum, target: queue) { (_: Int) in _ = queue.depth }
    try merging.activate()
    end { merging.cancel() }
  }
}
