import HawtDispatch

extension Rule {
  static let m8 = Rule(
    "M8", "a retarget to a queue of another or a stopped dispatcher is refused; the old target stays",
    why: "a queue between two dispatchers would have no thread that answers for it",
    whereToLook: [MigrationFiles.queue, MigrationFiles.source, "makeSerialQueue(target:)"],
    checks: [
      Check("another dispatcher's queues", foreignTargets),
      Check("a stopped dispatcher's queues", stoppedTargets),
      Check("a queue type that is not the library's", unknownQueueType),
    ])
}

/// Asks, expects a refusal that `isRight` accepts, and that nothing has changed.
private func expectRefusal(
  _ context: CheckContext, _ what: String, of queue: SerialQueue, isRight: (DispatcherError) -> Bool,
  _ attempt: (@escaping @Sendable (SerialQueue.RetargetOutcome) -> Void) throws -> Void
) {
  let before = queue.target.label
  let pinned = queue.pinnedWorker
  do {
    try attempt { outcome in context.fail("\(what): a refused retarget completed as \(outcome)") }
    context.fail("\(what) was accepted")
  } catch let error as DispatcherError {
    context.expect(isRight(error), "\(what) was refused with: \(error)")
    context.record("refusals")
  } catch { context.fail("\(what) threw \(error)") }
  context.expect(
    queue.target.label == before && queue.pinnedWorker == pinned, "\(what) was refused and changed the target")
}

private func isForeign(_ error: DispatcherError) -> Bool {
  if case .foreignDispatcher(let queue, let target) = error { return queue.contains("ours") && !target.isEmpty }
  return false
}

private func foreignTargets(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let other = try context.makeDispatcher(workers: 2)
  let threads = try WorkerThreads(dispatcher, context)
  let queue = try dispatcher.makeSerialQueue(label: "ours", target: dispatcher.threadQueues[1])
  let pipe = try context.makePipe()
  let places = context.recorder(of: Int?.self)
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
    _ = pipe.drain()
    places.append(threads.current)
  }
  try source.activate()
  let timer = dispatcher.makeTimerSource(target: queue) { _ in places.append(threads.current) }
  let targets: [any Queue] = [
    other.global(.high), other.threadQueues[0], other.makeSerialQueue(label: "theirs"),
    try other.makeSerialQueue(label: "theirs, pinned", target: other.threadQueues[1]),
  ]
  for target in targets {
    let name = "'\(target.label)' of another dispatcher"
    expectRefusal(context, name, of: queue, isRight: isForeign) { try queue.setTarget(target, completion: $0) }
    expectRefusal(context, "a source's \(name)", of: queue, isRight: { _ in true }) {
      try source.setTarget(target, completion: $0)
    }
    expectRefusal(context, "a timer's \(name)", of: queue, isRight: { _ in true }) { _ in try timer.setTarget(target) }
    expectRefusal(context, "a new queue on \(name)", of: queue, isRight: isForeign) { _ in
      _ = try dispatcher.makeSerialQueue(label: "ours too", target: target)
    }
  }
  // All is as it was: the queue works, at its old place.
  try context.drain(inTask: queue) { context.expect(threads.current == 1, "a task ran elsewhere after refusals") }
  pipe.write()
  timer.schedule(after: .zero)
  try timer.activate()
  let seen = try places.wait(forCount: 2, of: "source and timer after refusals")
  context.expect(seen.allSatisfy { $0 == 1 }, "a source or timer moved although it was refused")
  source.cancel()
  timer.cancel()
}

private func stoppedTargets(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let stopped = try context.makeDispatcher(workers: 2)
  let theirs = stopped.makeSerialQueue(label: "ours, of the stopped")
  context.expect(stopped.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
  let queue = try dispatcher.makeSerialQueue(label: "ours", target: dispatcher.threadQueues[0])
  for target in [stopped.global(), stopped.threadQueues[0], theirs] as [any Queue] {
    expectRefusal(
      context, "a queue of a stopped dispatcher", of: queue,
      isRight: {
        if case .stopped = $0 { return true }
        return isForeign($0)
      }, { try queue.setTarget(target, completion: $0) })
  }
  try context.drain(queue)
  // Within a dispatcher that is stopped itself.
  for target in [stopped.threadQueues[1], stopped.global(.low)] as [any Queue] {
    expectRefusal(
      context, "a retarget within a stopped dispatcher", of: theirs,
      isRight: {
        if case .stopped = $0 { return true }
        return false
      }, { try theirs.setTarget(target, completion: $0) })
  }
}

/// What a user might write, against the protocol's advice.
private final class StrangeQueue: Queue {
  private let inner: SerialQueue
  init(_ inner: SerialQueue) { self.inner = inner }

  var label: String { "strange" }
  var dispatcher: Dispatcher { inner.dispatcher }
  var depth: Int { 0 }
  var isExecuting: Bool { false }
  var description: String { label }
  func async(_ task: @escaping @Sendable () throws -> Void) -> Submission { inner.async(task) }
  func async(_ item: WorkItem) -> Submission { inner.async(item) }
  func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration, _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle { inner.asyncAfter(delay, clock: clock, leeway: leeway, task) }
  func sync<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { try inner.sync(body) }
  func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?) {}
  func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? { nil }
  func assertExecuting(file: StaticString, line: UInt) {}
  func assertNotExecuting(file: StaticString, line: UInt) {}
}

private func unknownQueueType(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let queue = dispatcher.makeSerialQueue(label: "ours")
  let strange = StrangeQueue(dispatcher.makeSerialQueue(label: "inner"))
  expectRefusal(context, "a queue of a type of its own", of: queue, isRight: { _ in true }) {
    try queue.setTarget(strange, completion: $0)
  }
  try context.drain(queue)
}
