import HawtDispatch

extension Rule {
  static let q13 = Rule(
    "Q13", "nothing waits for a stuck worker but what the user pinned to it",
    why: "one blocking call would otherwise stop connections and timers that have nothing to do with it",
    whereToLook: ["the poller's lease and its takeover", "stealing from a stuck worker's run queue"],
    checks: [
      Check("queues that the stuck worker had made runnable go on", localWorkIsStolen),
      Check("a burst from outside, one task of which gets stuck, goes on", burstGoesOn),
      Check("submissions, timers and sources while one worker is stuck", oneStuckWorker),
      Check("timers armed before the worker got stuck", timersArmedBefore),
      Check("all but one worker stuck", allButOneStuck),
      Check("pinned work waits, and runs when the worker is back", pinnedWorkWaits),
      Check("cancels of sources that are registered with a stuck worker", cancelsArePrompt),
      Check("what was stolen from a stuck worker is counted", stealsAreCounted),
      Check("takeovers of a stuck worker's poller are counted", takeoversAreCounted),
    ])
}

/// A task that gets stuck has just submitted to other queues: they lie in its worker's own run queue, even "next".
private func localWorkIsStolen(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  try context.expectPrompt("what a stuck task had submitted runs") { _ in
    let gate = context.gate()
    let others = 6
    let began = context.recorder(of: Moment.self)
    let stuckAt = Shared<Moment?>(nil)
    dispatcher.makeSerialQueue(label: "stuck").async {
      for index in 0..<others {
        let queue: any Queue = index == 0 ? dispatcher.global() : dispatcher.makeSerialQueue()
        queue.async { began.append(.now) }
      }
      stuckAt.with { $0 = .now }
      gate.pass()
    }
    let moments = try began.wait(forCount: others, of: "queues made runnable by a task that is stuck now")
    gate.open()
    return max(.zero, (moments.max() ?? .now) - (stuckAt.with { $0 } ?? .now))
  }
}

/// Whoever takes the stuck task has taken those behind it, too, or is about to.
private func burstGoesOn(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for stuck in 0..<4 {
    try context.expectPrompt("a burst runs, of which task \(stuck) gets stuck") { _ in
      let gate = context.gate()
      let others = 60
      let began = context.recorder(of: Moment.self)
      let stuckAt = Shared<Moment?>(nil)
      for index in 0...others {
        dispatcher.global().async {
          guard index == stuck else { return began.append(.now) }
          stuckAt.with { $0 = .now }
          gate.pass()
        }
      }
      let submitted = Moment.now
      let moments = try began.wait(forCount: others, of: "tasks of a burst, one of which is stuck now")
      gate.open()
      let start = max(submitted, stuckAt.with { $0 } ?? submitted)
      return max(.zero, (moments.max() ?? .now) - start)
    }
  }
}

/// A source of an unpinned queue that is registered with the given worker, and what is needed to watch it.
struct WatchedSource {
  let pipe: Pipe
  let queue: SerialQueue
  let source: ReadinessSource
  let began: Shared<Moment?>

  static func make(_ context: CheckContext, _ dispatcher: Dispatcher) throws -> WatchedSource {
    let pipe = try context.makePipe()
    let began = Shared<Moment?>(nil)
    let queue = dispatcher.makeSerialQueue(label: "watched")
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      _ = pipe.drain()
      began.with { $0 = .now }
    }
    try source.activate()
    return WatchedSource(pipe: pipe, queue: queue, source: source, began: began)
  }

  func latency(_ context: CheckContext) throws -> Duration {
    began.with { $0 = nil }
    let start = Moment.now
    pipe.write()
    guard began.wait(atMost: context.patience, until: { $0 != nil }), let end = began.with({ $0 }) else {
      throw CheckFailure("a source registered with a stuck worker's poller was never served")
    }
    return end - start
  }
}

private func expectUnpinnedWorkGoesOn(
  _ context: CheckContext, _ dispatcher: Dispatcher, _ sources: [WatchedSource], _ what: String
) throws {
  let queues: [any Queue] = sources.map(\.queue) + [dispatcher.global(), dispatcher.global(.low)]
  try context.expectPrompt("\(what): submissions run") { index in
    let began = Shared<Moment?>(nil)
    let start = Moment.now
    queues[index % queues.count].async { began.with { $0 = .now } }
    try context.require(began.wait(atMost: context.patience) { $0 != nil }, "\(what): a submission was never run")
    return (began.with { $0 } ?? .now) - start
  }
  try context.expectPrompt("\(what): timers fire") { index in
    let began = Shared<Moment?>(nil)
    let start = Moment.now
    queues[index % queues.count].asyncAfter(.milliseconds(3)) { began.with { $0 = .now } }
    try context.require(began.wait(atMost: context.patience) { $0 != nil }, "\(what): a timer never fired")
    return (began.with { $0 } ?? .now) - start - .milliseconds(3)
  }
  try context.expectPrompt("\(what): sources are served") { index in
    try sources[index % sources.count].latency(context)
  }
  try context.expectPrompt("\(what): a new source is registered, served and cancelled") { _ in
    let start = Moment.now
    let new = try WatchedSource.make(context, dispatcher)
    new.pipe.write()
    try context.require(new.began.wait(atMost: context.patience) { $0 != nil }, "\(what): a new source is not served")
    let cancelled = context.latch()
    new.source.setCancelHandler { cancelled.signal() }
    new.source.cancel()
    try cancelled.wait(for: "\(what): the cancel handler of a new source")
    return start.elapsed
  }
  // Cancelling a registration that the stuck worker's poller holds is prompt too.
  for (index, watched) in sources.enumerated() where index % 2 == 0 {
    let cancelled = context.latch()
    watched.source.setCancelHandler { cancelled.signal() }
    watched.source.cancel()
    try cancelled.wait(for: "\(what): the cancel handler of a source registered with worker \(index)")
    context.expect(watched.source.registeredWorker == nil, "a cancelled source is still registered")
  }
}

private func oneStuckWorker(_ context: CheckContext) throws {
  for stuck in 0..<2 {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let sources = try (0..<4).map { _ in try WatchedSource.make(context, dispatcher) }
    let homes = sources.map(\.source.registeredWorker)
    context.expect(homes.contains(stuck), "no unpinned source is registered with worker \(stuck): \(homes)")
    let gate = try context.hold(dispatcher.threadQueues[stuck])
    try expectUnpinnedWorkGoesOn(context, dispatcher, sources, "worker \(stuck) stuck")
    gate.open()
  }
  // Stuck in an unpinned queue's task, which is where a blocking call usually stands.
  let dispatcher = try context.makeDispatcher(workers: 2)
  let sources = try (0..<4).map { _ in try WatchedSource.make(context, dispatcher) }
  let gate = try context.hold(dispatcher.makeSerialQueue(label: "blocking"))
  try expectUnpinnedWorkGoesOn(context, dispatcher, sources, "a worker stuck in an unpinned task")
  gate.open()
}

private func timersArmedBefore(_ context: CheckContext) throws {
  try context.expectPrompt("a timer armed before its worker got stuck fires", attempts: 5) { attempt in
    let dispatcher = try context.makeDispatcher(workers: 2)
    let timers = 8
    let late = context.recorder(of: Duration.self)
    for index in 0..<timers {
      let delay = Duration.milliseconds(30 + index)
      let arm: @Sendable () -> Void = {
        let armed = Moment.now
        dispatcher.makeSerialQueue(label: "timed").asyncAfter(delay) { late.append(armed.elapsed - delay) }
      }
      // From either worker, and from outside: wherever a timer's home is then.
      if index % 3 == 0 { arm() } else { try context.drain(inTask: dispatcher.threadQueues[index % 2], arm) }
    }
    let gate = try context.hold(dispatcher.threadQueues[attempt % 2])
    let all = try late.wait(forCount: timers, of: "timers armed before a worker got stuck")
    gate.open()
    return all.sorted()[timers / 2]
  }
}

private func allButOneStuck(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 4)
  let sources = try (0..<8).map { _ in try WatchedSource.make(context, dispatcher) }
  let gates = try [0, 1, 3].map { try context.hold(dispatcher.threadQueues[$0]) }
  try expectUnpinnedWorkGoesOn(context, dispatcher, sources, "three of four workers stuck")
  for gate in gates { gate.open() }
}

private func pinnedWorkWaits(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let queue = try dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[0])
  let elsewhere = try dispatcher.makeSerialQueue(label: "elsewhere", target: dispatcher.threadQueues[1])
  let pipe = try context.makePipe()
  let gate = try context.hold(dispatcher.threadQueues[0])
  let done = context.latch(3)
  let check: @Sendable () -> Void = {
    context.expect(Dispatcher.currentThreadQueue?.worker == 0, "pinned work ran on another worker")
    done.signal()
  }
  queue.async(check)
  queue.asyncAfter(.zero, check)
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { event in
    check()
    event.cancel()
  }
  try source.activate()
  pipe.write()
  // Another worker's pinned work is none of the stuck one's business.
  try context.expectPrompt("work pinned to the free worker runs") { _ in
    let start = Moment.now
    try context.drain(elsewhere)
    return start.elapsed
  }
  context.pause(.milliseconds(20))
  context.expect(done.count == 3, "work pinned to a stuck worker ran: \(3 - done.count) of 3")
  gate.open()
  try done.wait(for: "work pinned to the worker that was stuck")
  context.record("pinned tasks, timers and events that waited", 3)
}
