import HawtDispatch

// L4, the part about corners: a restart beside what a shutdown has left to do.

/// A shutdown of what has stopped only answers; it must not stop what was started again meanwhile.
///
/// In a process of its own: a dispatcher that runs and takes itself for stopped may do anything.
func restartBesideAnAnswer(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let queue = dispatcher.makeSerialQueue(label: "restarted")
  context.expect(dispatcher.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
  for round in 0..<context.scaled(200, minimum: 40) {
    let answers = context.recorder(of: ShutdownReport.self)
    dispatcher.shutdown(deadline: .seconds(1)) { answers.append($0) }
    try dispatcher.restart()
    try answers.wait(forCount: 1, of: "the answer of a shutdown after the shutdown")
    try context.drain(queue)
    do {
      try dispatcher.restart()
      throw CheckFailure("round \(round): a dispatcher that runs was restarted once more")
    } catch let error as DispatcherError {
      context.expect(error == .running(dispatcher: dispatcher.name), "restart threw \(error)")
    }
    // A real one is answered once, after its work.
    let (ran, ranByThen) = (Tally(), context.recorder(of: Int.self))
    let gate = try context.hold(queue)
    for _ in 0..<10 { queue.async { ran.add() } }
    dispatcher.shutdown { _ in ranByThen.append(ran.value) }
    let last = context.latch()
    dispatcher.shutdown { _ in last.signal() }
    gate.open()
    try last.wait(for: "the shutdown")
    context.expect(
      ranByThen.all == [10], "a shutdown with 10 tasks to run was answered when so many had run: \(ranByThen.all)")
    context.expect(answers.count == 1, "a shutdown of a stopped dispatcher was answered \(answers.count) times")
    context.record("restarts beside the answer of a shutdown")
  }
}

/// A restart visits every queue, and owes those that had refused something the call that there is room: also one whose
/// last reference goes at that very moment.
///
/// In a process of its own: what is used after it was freed may do anything.
func restartBesideTheLastReference(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  // They make the visit long enough for many to go meanwhile.
  let others = (0..<20_000).map { _ in dispatcher.makeSerialQueue() }
  for _ in 0..<context.scaled(30, minimum: 12) {
    let held = dispatcher.makeSerialQueue(label: "held")
    held.suspend()
    let threads = 4
    let shares = (0..<threads).map { _ in Shared<[SerialQueue]>([]) }
    for number in 0..<800 {
      let queue = try dispatcher.makeSerialQueue(
        label: "bounded", target: held, limit: QueueLimit(maximum: 1) {})
      queue.async {}
      context.expect(!queue.async {}.isAccepted, "a queue of one task took two")
      shares[number % threads].with { $0.append(queue) }
    }
    let report = dispatcher.shutdownAndWait(deadline: .milliseconds(1))
    context.expect(report.discardedTasks == 800, "800 tasks were held, \(report.discardedTasks) are reported")
    try context.onThreads(threads + 1) { index, random in
      if index == threads {
        spin(.microseconds(random.below(1_000)))
        try dispatcher.restart()
      } else {
        while let queue = shares[index].with({ $0.popLast() }) {
          withExtendedLifetime(queue) {}
          spin(.microseconds(5))
        }
      }
    }
    held.resume()
    // The calls that were owed have been made by then, and leave the next round's account alone.
    try context.drain(held)
    context.record("full queues dropped beside a restart", 800)
  }
  withExtendedLifetime(others) {}
}

/// A cancel handler that waits behind a suspension is owed, like the suspension itself, over a restart: it is where the
/// descriptor is closed.
func cancelHandlerIsOwed(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.makeSerial(dispatcher, "suspended")
    let ran = context.recorder(of: String.self)
    let pipe = try context.makePipe()
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in }
    source.setCancelHandler { ran.append("cancel handler") }
    try source.activate()
    dispatcher.whenCancelled([source], on: dispatcher.global()) { ran.append("joint handler") }
    queue.suspend()
    source.cancel()
    // By then the registration is out, and the handler waits for its queue.
    try context.settle(dispatcher)
    dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    context.expect(ran.count == 0, "\(kind): a shutdown ran \(ran.all) of a source on a suspended queue")
    try dispatcher.restart()
    for thread in dispatcher.threadQueues { try context.drain(thread) }
    context.expect(ran.count == 0, "\(kind): on a suspended queue there ran \(ran.all)")
    queue.resume()
    try ran.wait(forCount: 2, of: "the cancel handler and the joint handler after a restart on \(kind) (\(ran.all))")
    for thread in dispatcher.threadQueues { try context.drain(thread) }
    context.expect(ran.all == ["cancel handler", "joint handler"], "\(kind): after a restart there ran \(ran.all)")
    context.record("cancel handlers owed over a restart")
  }
}

/// After a refusal somebody waits for the call that there is room. What a shutdown discards makes the room; the call waits
/// for the queue, over as many stops as it takes, and is nobody's task that could be discarded.
func lowWaterIsOwed(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    for isEmpty in [false, true] {
      let dispatcher = try context.makeDispatcher(workers: 2)
      let told = Tally()
      let target = try kind.makeSerial(dispatcher, "below").target
      let queue = try dispatcher.makeSerialQueue(
        label: "bounded", target: target, limit: QueueLimit(maximum: 1) { told.add() })
      queue.suspend()
      queue.async {}
      context.expect(!queue.async {}.isAccepted, "a queue of one task took two")
      var discarded = dispatcher.shutdownAndWait(deadline: .milliseconds(50)).discardedTasks
      context.expect(discarded == 1, "\(kind): one task was held, \(discarded) are reported")
      try dispatcher.restart()
      if !isEmpty { context.expect(queue.async {}.isAccepted, "an empty queue refused a task") }
      discarded = dispatcher.shutdownAndWait(deadline: .milliseconds(50)).discardedTasks
      context.expect(
        discarded == (isEmpty ? 0 : 1), "\(kind): \(isEmpty ? 0 : 1) tasks were held, \(discarded) are reported")
      try dispatcher.restart()
      context.expect(told.value == 0, "\(kind): low water was told on a suspended queue")
      queue.resume()
      try context.eventually("low water is told after two stops (\(kind))", within: .seconds(10)) { told.value == 1 }
      context.record("low-water calls owed over two stops")
    }
  }
}

/// Joint handlers and completions are promised, not submitted: a shutdown that finds them behind a stuck task neither counts
/// nor forgets them.
func owedCallsLiveOn(_ context: CheckContext) throws {
  for place in try OwingPlace.all(context) {
    let calls = context.recorder(of: String.self)
    try place.owe(to: calls)
    let report = place.dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    context.expect(
      report.discardedTasks == 0, "on \(place.name), \(report.discardedTasks) tasks were discarded, none was submitted")
    context.expect(calls.count == 0, "on \(place.name), \(calls.all) came while the worker was held")
    try place.dispatcher.restart()
    place.letGo()
    try calls.wait(forCount: 2, of: "what was owed on \(place.name)")
    try context.settle(place.dispatcher)
    context.expect(calls.all.sorted() == ["completion", "joint handler"], "on \(place.name) came \(calls.all)")
    context.record("calls owed over a restart", calls.count)
  }
}

/// Its handlers capture what they like; nobody would ever let go of it otherwise.
func owedCallsGo(_ context: CheckContext) throws {
  let (freed, owed) = (Tally(), Tally())
  for place in try OwingPlace.all(context) {
    let calls = context.recorder(of: String.self)
    try place.owe(to: calls, capturing: Token { freed.add() })
    owed.add()
    place.dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    place.letGo()
  }
  try context.eventually("what \(owed.value) joint handlers captured is released (\(freed.value))") {
    freed.value == owed.value
  }
  context.record("owed calls that went with their dispatcher", owed.value)
}

/// A queue whose worker is held by a task, in a dispatcher of its own.
private struct OwingPlace {
  let name: String
  let dispatcher: Dispatcher
  private let queue: any Queue
  private let gates: [Gate]

  func letGo() { for gate in gates { gate.open() } }

  /// One of each kind; one is the global queue, of which all workers are held.
  static func all(_ context: CheckContext) throws -> [OwingPlace] {
    var places = try QueueKind.allCases.map { kind in
      let dispatcher = try Dispatcher(configuration: context.configuration(workers: 2))
      let queue = try kind.make(dispatcher, "owing")
      return OwingPlace(name: kind.rawValue, dispatcher: dispatcher, queue: queue, gates: [try context.hold(queue)])
    }
    let dispatcher = try Dispatcher(configuration: context.configuration(workers: 2))
    let gates = try dispatcher.threadQueues.map { try context.hold($0) }
    places.append(
      OwingPlace(name: "the global queue", dispatcher: dispatcher, queue: dispatcher.global(), gates: gates))
    return places
  }

  func owe(to calls: Recorder<String>, capturing token: Token? = nil) throws {
    dispatcher.whenCancelled([], on: queue) {
      token?.touch()
      calls.append("joint handler")
    }
    try dispatcher.makeSerialQueue(label: "moved").setTarget(queue) { _ in calls.append("completion") }
  }
}
