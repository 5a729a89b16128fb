import HawtDispatch

// Q13, the part about what peers do for a stuck worker, seen from outside: how much, and how soon.

/// Entries that lie in the run queue of a worker which is held can be run by nobody but a thief, so each counts as stolen,
/// once; and nobody steals from a worker that has nothing.
func stealsAreCounted(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  var random = context.random()
  let starter = dispatcher.makeSerialQueue(label: "starter")
  for _ in 0..<context.scaled(20, minimum: 5) {
    let entries = 1 + random.below(60)
    let gate = context.gate()
    let done = context.latch(entries)
    let held = Shared<(worker: Int, metrics: [WorkerMetrics])?>(nil)
    starter.async {
      held.with { $0 = (Dispatcher.currentThreadQueue?.worker ?? -1, dispatcher.metrics) }
      for _ in 0..<entries { dispatcher.makeSerialQueue().async { done.signal() } }
      gate.pass()
    }
    try done.wait(for: "\(entries) queues made runnable by a task that is stuck now")
    let after = dispatcher.metrics.map(\.steals)
    gate.open()
    try context.drain(starter)
    guard let (holder, metrics) = held.with({ $0 }), metrics.indices.contains(holder) else {
      throw CheckFailure("a task ran on no worker")
    }
    let stolen = zip(after, metrics.map(\.steals)).map { $0 - $1 }
    context.expect(
      stolen[1 - holder] == entries, "\(entries) entries lay behind a stuck task; its peer counts \(stolen[1 - holder])"
    )
    context.expect(stolen[holder] == 0, "a worker that was held the whole time counts \(stolen[holder]) steals")
    context.record("entries stolen and counted", entries)
  }
}

/// Each event of a poller whose worker is held takes a takeover of its own, as it is made after the handler of the one before.
/// They are counted for the worker that is served; the server, which no peer is free to serve, has none.
func takeoversAreCounted(_ context: CheckContext) throws {
  for stuck in 0..<2 {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let served = try (0..<4).map { _ in try WatchedSource.make(context, dispatcher) }
      .filter { $0.source.registeredWorker == stuck }
    try context.require(!served.isEmpty, "no unpinned source is registered with worker \(stuck)")
    let gate = try context.hold(dispatcher.threadQueues[stuck])
    let before = dispatcher.metrics.map(\.leaseTakeovers)
    let events = 6
    for number in 0..<events { _ = try served[number % served.count].latency(context) }
    let taken = zip(dispatcher.metrics.map(\.leaseTakeovers), before).map { $0 - $1 }
    gate.open()
    context.expect(
      taken[stuck] >= events,
      "\(events) events of a stuck worker's poller were served, one after the other, and \(taken[stuck]) takeovers counted"
    )
    context.expect(taken[1 - stuck] == 0, "a worker that was free counts \(taken[1 - stuck]) takeovers of its poller")
    context.record("takeovers counted", taken[stuck])
  }
}

/// A cancel takes the registration out of a stuck worker's poller itself: it waits for no alarm, and not for the worker.
func cancelsArePrompt(_ context: CheckContext) throws {
  let (attempts, rounds) = (6, 4)
  for stuck in 0..<2 {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let needed = attempts * rounds
    let sources = try (0..<2 * needed).map { _ in try WatchedSource.make(context, dispatcher) }
      .filter { $0.source.registeredWorker == stuck }
    try context.require(
      sources.count >= needed, "of \(2 * needed) unpinned sources, worker \(stuck) has \(sources.count)")
    let gate = try context.hold(dispatcher.threadQueues[stuck])
    let free = dispatcher.threadQueues[1 - stuck]
    try context.expectPrompt(
      "worker \(stuck) stuck: the cancel handler of a source that is registered there runs", attempts: attempts,
      rounds: rounds
    ) { index in
      let watched = sources[index]
      let (began, ended) = (Shared<Moment?>(nil), Shared<Moment?>(nil))
      watched.source.setCancelHandler { ended.with { $0 = .now } }
      let cancel: @Sendable () -> Void = {
        began.with { $0 = .now }
        watched.source.cancel()
      }
      // Idle, suspended, and ready; from outside, and on the worker that is free.
      switch index % 3 {
      case 0: break
      case 1: watched.source.suspend()
      default: watched.pipe.write()
      }
      if index % 2 == 0 { cancel() } else { free.async(cancel) }
      guard ended.wait(atMost: context.patience, until: { $0 != nil }), let end = ended.with({ $0 }) else {
        throw CheckFailure("worker \(stuck) stuck: a cancel handler never ran")
      }
      context.expect(watched.source.registeredWorker == nil, "a cancel handler ran, and its source is registered")
      return end - (began.with { $0 } ?? end)
    }
    gate.open()
  }
}
