import HawtDispatch

extension Rule {
  static let m4 = Rule(
    "M4", "sources and timers follow their queue through every level of nesting",
    why: "the user moves a session, not the dozen things that belong to it",
    whereToLook: [MigrationFiles.source, "a queue's list of its sources", "where a timer's home is looked up"],
    checks: [
      Check("a source and timers on a queue nested at each level") { context in
        for depth in 0...4 { try follow(context, depth: depth, moving: 0) }
      },
      Check("a queue in the middle of the tree moves") { context in
        try follow(context, depth: 4, moving: 2)
        try follow(context, depth: 4, moving: 4)
      },
      Check("off a stuck worker, everything", followOffAStuckWorker),
    ])
}

/// What hangs on a queue, and reports on which worker it was handled.
private final class Followers: Sendable {
  let pipe: Pipe
  let source: ReadinessSource
  let ticking: TimerSource
  let places: Recorder<(what: String, worker: Int?)>

  init(_ context: CheckContext, _ dispatcher: Dispatcher, on queue: SerialQueue, _ threads: WorkerThreads) throws {
    let places: Recorder<(what: String, worker: Int?)> = context.recorder()
    let pipe = try context.makePipe()
    source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      _ = pipe.drain()
      places.append(("source", threads.current))
    }
    ticking = dispatcher.makeTimerSource(target: queue) { _ in places.append(("timer source", threads.current)) }
    ticking.schedule(after: .milliseconds(1), repeating: .milliseconds(1))
    (self.pipe, self.places) = (pipe, places)
    try source.activate()
    try ticking.activate()
  }

  /// Waits until each of them was handled anew, all on `worker`.
  func expect(on worker: Int, _ context: CheckContext, _ place: String) throws {
    places.removeAll()
    pipe.write()
    try context.eventually("source and timer source are handled \(place)") {
      Set(places.all.map(\.what)).count == 2 && places.count >= 4
    }
    for seen in places.all {
      context.expect(
        seen.worker == worker, "\(place): a \(seen.what) was handled on worker \(seen.worker ?? -1), not \(worker)")
    }
    context.expect(
      source.registeredWorker == worker,
      "\(place): the source is registered with worker \(source.registeredWorker ?? -1), not \(worker)")
    context.record("deliveries on the right thread", places.count)
  }

  func cancel() {
    source.cancel()
    ticking.cancel()
  }
}

private func makeTree(_ dispatcher: Dispatcher, depth: Int) throws -> [SerialQueue] {
  var queues = [try dispatcher.makeSerialQueue(label: "level 0", target: dispatcher.threadQueues[0])]
  for level in 0..<depth {
    queues.append(try dispatcher.makeSerialQueue(label: "level \(level + 1)", target: queues[level]))
  }
  return queues
}

extension CheckContext {
  /// Retargets, and waits for the completion, which must say that it was effective.
  func move(_ queue: SerialQueue, to target: any Queue) throws {
    let outcome = Shared<SerialQueue.RetargetOutcome?>(nil)
    try queue.setTarget(target) { result in outcome.with { $0 = result } }
    guard outcome.wait(atMost: patience, until: { $0 != nil }) else {
      throw CheckFailure("the retarget of '\(queue.label)' to '\(target.label)' never completed")
    }
    expect(outcome.with { $0 } == .effective, "the only retarget of '\(queue.label)' was superseded")
  }
}

private func follow(_ context: CheckContext, depth: Int, moving: Int) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  let tree = try makeTree(dispatcher, depth: depth)
  let followers = try Followers(context, dispatcher, on: tree[depth], threads)
  try followers.expect(on: 0, context, "before a move")
  for step in 1...4 {
    let worker = step % 3
    // Armed at the old place, due at the new one.
    let fired = context.recorder(of: Int?.self)
    for delay in [10, 12, 14] {
      tree[depth].asyncAfter(.milliseconds(delay)) { fired.append(threads.current) }
    }
    try context.move(tree[moving], to: dispatcher.threadQueues[worker])
    for place in try fired.wait(forCount: 3, of: "timers armed before the move") {
      // On a very slow machine they may have come due before the move.
      context.expect(place == worker || place == (step - 1) % 3, "a timer fired on a third thread")
    }
    try followers.expect(on: worker, context, "after move \(step) of level \(moving) above level \(depth)")
    let after = context.recorder(of: Int?.self)
    tree[depth].asyncAfter(.microseconds(100)) { after.append(threads.current) }
    let place = try after.wait(forCount: 1, of: "a timer armed after the move")
    context.expect(place == [worker], "a timer armed after the move fired on worker \(place[0] ?? -1)")
  }
  followers.cancel()
}

private func followOffAStuckWorker(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let threads = try WorkerThreads(dispatcher, context)
  let tree = try makeTree(dispatcher, depth: 3)
  let followers = try Followers(context, dispatcher, on: tree[3], threads)
  try followers.expect(on: 0, context, "before the worker gets stuck")
  let gate = try context.hold(dispatcher.threadQueues[0])
  let fired = context.recorder(of: Int?.self)
  tree[3].asyncAfter(.milliseconds(5)) { fired.append(threads.current) }
  // Readiness that came, and a timer that fell due, while nobody could serve them.
  followers.pipe.write()
  context.pause(.milliseconds(20))
  context.expect(fired.count == 0, "a timer of a queue pinned to a stuck worker fired elsewhere")
  followers.places.removeAll()
  try context.move(tree[0], to: dispatcher.threadQueues[1])
  let places = try fired.wait(forCount: 1, of: "a timer that left a stuck worker")
  context.expect(places == [1], "a timer that left a stuck worker fired on worker \(places[0] ?? -1)")
  try context.eventually("readiness from before the move is handled") {
    followers.places.all.contains { $0.what == "source" }
  }
  try followers.expect(on: 1, context, "after the move off a stuck worker")
  gate.open()
  followers.cancel()
}
