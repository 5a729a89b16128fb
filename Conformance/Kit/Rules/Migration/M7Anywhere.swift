import HawtDispatch

extension Rule {
  static let m7 = Rule(
    "M7", "retarget is legal from the queue's own task or handler, while suspended, before activation",
    why: "a connection decides in its own handler where it goes next",
    whereToLook: [MigrationFiles.queue, MigrationFiles.source],
    checks: [
      Check("from the queue's own task, and from the completion", fromOwnTask),
      Check("from its source's and timer's handlers", fromOwnHandlers),
      Check("while suspended", whileSuspended),
      Check("before the source is activated", beforeActivation),
      Check("pinned to unpinned and back", pinnedAndBack),
    ])
}

private func fromOwnTask(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  let queue = try dispatcher.makeSerialQueue(label: "moves itself", target: dispatcher.threadQueues[0])
  let nested = try dispatcher.makeSerialQueue(label: "nested", target: queue)
  let hops = context.scaled(1_000, minimum: 60)
  let ended = context.latch(hops + 1)
  @Sendable func hop(_ number: Int) {
    guard number < hops else { return ended.signal() }
    // Every other hop from a queue nested in the one that moves.
    (number % 2 == 0 ? queue : nested).async {
      context.expect(
        threads.current == number % 3, "hop \(number) ran on worker \(threads.current ?? -1), not \(number % 3)")
      do {
        // The next hop may well overtake the completion of this one: effective or superseded, it is told once.
        try queue.setTarget(dispatcher.threadQueues[(number + 1) % 3]) { _ in ended.signal() }
      } catch { context.fail("a retarget from the queue's own task was refused: \(error)") }
      context.expect(threads.current == number % 3, "the running task changed threads")
      hop(number + 1)
    }
  }
  hop(0)
  try ended.wait(for: "a queue that moves itself")
  context.record("hops from the own task", hops)

  // A completion may move the queue on.
  let chainEnded = context.latch()
  @Sendable func chainMove(_ number: Int) {
    guard number < 50 else { return chainEnded.signal() }
    do {
      try queue.setTarget(dispatcher.threadQueues[number % 3]) { _ in
        context.expect(threads.current == number % 3, "a completion ran on worker \(threads.current ?? -1)")
        chainMove(number + 1)
      }
    } catch { context.fail("a retarget from a completion was refused: \(error)") }
  }
  chainMove(0)
  try chainEnded.wait(for: "a chain of moves, each from the completion of the one before")
  context.record("moves from a completion", 50)
}

private func fromOwnHandlers(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let threads = try WorkerThreads(dispatcher, context)
  let queue = try dispatcher.makeSerialQueue(label: "handlers", target: dispatcher.threadQueues[0])
  let pipe = try context.makePipe()
  let places = context.recorder(of: Int?.self)
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
    _ = pipe.drain()
    let place = threads.current
    try queue.setTarget(dispatcher.threadQueues[1 - (place ?? 0)])
    places.append(place)
  }
  try source.activate()
  let rounds = context.scaled(200, minimum: 20)
  for round in 1...rounds {
    pipe.write()
    try places.wait(forCount: round, of: "handlers that move their queue")
  }
  for (round, place) in places.all.enumerated() {
    context.expect(place == round % 2, "handler \(round) ran on worker \(place ?? -1)")
  }
  source.cancel()
  context.record("moves from a source's handler", rounds)
  try context.move(queue, to: dispatcher.threadQueues[0])
  let beats = context.recorder(of: Int?.self)
  let timer = dispatcher.makeTimerSource(target: queue) { _ in
    let place = threads.current
    try queue.setTarget(dispatcher.threadQueues[1 - (place ?? 0)])
    beats.append(place)
  }
  timer.schedule(after: .zero, repeating: .milliseconds(1))
  try timer.activate()
  try beats.wait(forCount: 30, of: "beats that move their queue")
  timer.cancel()
  for (beat, place) in beats.all.enumerated() {
    context.expect(place == beat % 2, "beat \(beat) ran on worker \(place ?? -1)")
  }
  context.record("moves from a timer's handler", beats.count)
}

private func whileSuspended(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  for nested in [false, true] {
    let queue = try dispatcher.makeSerialQueue(label: "suspended", target: dispatcher.threadQueues[0])
    let runner = nested ? try dispatcher.makeSerialQueue(label: "nested", target: queue) : queue
    let held = nested ? runner : queue
    held.suspend()
    let places = context.recorder(of: Int?.self)
    for _ in 0..<20 { runner.async { places.append(threads.current) } }
    let outcomes = context.recorder(of: SerialQueue.RetargetOutcome.self)
    for worker in [1, 2, 0, 2] {
      try queue.setTarget(dispatcher.threadQueues[worker]) { outcomes.append($0) }
      context.expect(queue.pinnedWorker == worker, "a suspended queue does not show its new target")
      for _ in 0..<20 { runner.async { places.append(threads.current) } }
    }
    context.pause(.milliseconds(5))
    context.expect(places.count == 0, "a retarget let a suspended queue run \(places.count) tasks")
    held.resume()
    let all = try places.wait(forCount: 100, of: "tasks of a queue that was retargeted while suspended")
    context.expect(all.allSatisfy { $0 == 2 }, "tasks ran on workers \(Set(all.map { $0 ?? -1 })), not on 2 alone")
    let told = try outcomes.wait(forCount: 4, of: "completions of retargets of a suspended queue")
    context.expect(told.contains(.effective), "no retarget of a suspended queue was effective: \(told)")
    context.record("retargets while suspended", 4)
  }
}

private func beforeActivation(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  for bySource in [false, true] {
    let queue = try dispatcher.makeSerialQueue(label: "inactive", target: dispatcher.threadQueues[0])
    let other = try dispatcher.makeSerialQueue(label: "other", target: dispatcher.threadQueues[2])
    let pipe = try context.makePipe()
    let places = context.recorder(of: Int?.self)
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      _ = pipe.drain()
      places.append(threads.current)
    }
    pipe.write()
    if bySource {
      try source.setTarget(other)
    } else {
      try queue.setTarget(dispatcher.threadQueues[1])
      try queue.setTarget(dispatcher.threadQueues[2])
    }
    context.expect(source.registeredWorker == nil, "a retarget registered an inactive source")
    try source.activate()
    context.expect(source.registeredWorker == 2, "registered with worker \(source.registeredWorker ?? -1), not 2")
    let seen = try places.wait(forCount: 1, of: "readiness from before activation")
    context.expect(seen == [2], "handled on worker \(seen[0] ?? -1), not 2")
    // And directly, while active.
    try source.setTarget(dispatcher.threadQueues[1])
    pipe.write()
    let both = try places.wait(forCount: 2, of: "readiness after the source was given another queue")
    context.expect(both[1] == 1 || both[1] == 2, "handled on a thread that it never had")
    try context.eventually("the source is registered at its new place") { source.registeredWorker == 1 }
    source.cancel()
    context.record("retargets before activation")
  }
}

private func pinnedAndBack(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let threads = try WorkerThreads(dispatcher, context)
  let queue = dispatcher.makeSerialQueue(label: "to and fro")
  let pipe = try context.makePipe()
  let bytes = Tally()
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in bytes.add(pipe.drain()) }
  try source.activate()
  for round in 1...context.scaled(60, minimum: 10) {
    let worker = round % 2
    try context.move(queue, to: dispatcher.threadQueues[worker])
    context.expect(queue.pinnedWorker == worker, "a pinned queue says it is not")
    context.expect(source.registeredWorker == worker, "a pinned queue's source is registered elsewhere")
    try context.drain(inTask: queue) { context.expect(threads.current == worker, "a pinned task ran elsewhere") }
    try context.move(queue, to: dispatcher.global(.high))
    context.expect(queue.pinnedWorker == nil, "an unpinned queue says it is pinned")
    // Unpinned, it must not depend on its former worker.
    let gate = try context.hold(dispatcher.threadQueues[worker])
    try context.drain(queue)
    let before = bytes.value
    pipe.write()
    try context.eventually("an unpinned queue's source is served although its former worker is stuck") {
      bytes.value > before
    }
    gate.open()
    context.record("times unpinned and pinned")
  }
  source.cancel()
}
