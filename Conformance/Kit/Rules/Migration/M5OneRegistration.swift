import HawtDispatch

extension Rule {
  static let m5 = Rule(
    "M5", "a source is registered with at most one poller, in the end with its root's, or none if cancelled",
    why: "two registrations are two threads in one handler; none is a connection that hangs",
    whereToLook: [MigrationFiles.source, "registration and removal during a migration"],
    capabilities: [.processFiles],
    checks: [
      Check("the kernel's sets, watched while a source migrates", watchedMigration),
      Check("any order of activate, retarget, suspend, resume, cancel", randomOrders),
      Check("the same, from several threads at once", racingOrders),
      Check("while the old worker is stuck", offAStuckWorker),
    ])
}

/// One migration at a time, between known places: what is seen at the new one may not be at the old one any more.
private func watchedMigration(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let pollers = try WorkerPollers(dispatcher, context)
  let pipe = try context.makePipe()
  let queue = try dispatcher.makeSerialQueue(label: "watched", target: dispatcher.threadQueues[0])
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in }
  try source.activate()
  let moves = context.scaled(150, minimum: 20)
  for number in 0..<moves {
    let (from, to) = (number % 2, (number + 1) % 2)
    let isDone = Tally()
    try queue.setTarget(dispatcher.threadQueues[to]) { _ in isDone.set(1) }
    var hasArrived = false
    try context.eventually("migration \(number) completes") {
      // In this order: the new place first, then the old one, which must be empty by then.
      let place = pollers.workers(holding: pipe.readEnd)
      if let place, place.contains(to) { hasArrived = true }
      if hasArrived, let again = pollers.workers(holding: pipe.readEnd), again.contains(from) {
        throw CheckFailure("the descriptor is with worker \(to)'s poller and still with worker \(from)'s")
      }
      return isDone.value == 1
    }
    context.expect(
      source.registeredWorker == to, "after its completion the source is with worker \(source.registeredWorker ?? -1)")
    try context.settle(dispatcher)
    if let place = pollers.workers(holding: pipe.readEnd) {
      context.expect(place == [to], "the kernel has the descriptor with workers \(place), not with \(to)")
      context.record("migrations seen in the kernel's sets")
    }
    let counts = dispatcher.metrics.map(\.registrations)
    context.expect(counts[to] == 1 && counts[from] == 0, "the counters say \(counts) after a move to worker \(to)")
    context.record("migrations counted")
  }
  source.cancel()
  try context.eventually("a cancelled source is registered nowhere") {
    source.registeredWorker == nil && dispatcher.metrics.allSatisfy { $0.registrations == 0 }
  }
  context.expect(pollers.workers(holding: pipe.readEnd)?.isEmpty ?? true, "the kernel still has a cancelled descriptor")
}

/// A source, its queue, and what was done to it: where it must be in the end.
private final class Subject5: Sendable {
  let pipe: Pipe
  let queue: SerialQueue
  let source: ReadinessSource
  let handled = Tally()
  let cancelHandlers = Tally()
  let isActivated = Tally()

  init(_ context: CheckContext, _ dispatcher: Dispatcher, _ number: Int) throws {
    let pipe = try context.makePipe()
    let (handled, cancelHandlers) = (handled, cancelHandlers)
    let parent = dispatcher.makeSerialQueue(label: "parent \(number)")
    queue = try dispatcher.makeSerialQueue(label: "queue \(number)", target: parent)
    source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      handled.add(pipe.drain())
    }
    source.setCancelHandler { cancelHandlers.add() }
    self.pipe = pipe
  }

  func act(_ random: inout SeededRandom, _ targets: [any Queue], mayCancel: Bool) throws {
    switch random.below(mayCancel ? 8 : 7) {
    case 0:
      do {
        try source.activate()
        isActivated.set(1)
      } catch { if !source.isCancelled { throw error } }
    case 1, 2: try queue.setTarget(random.pick(targets))
    case 3: try source.setTarget(queue)
    case 4, 5:
      source.suspend()
      if random.oneIn(2) { spin(.nanoseconds(random.below(20_000))) }
      source.resume()
    case 6: pipe.write()
    default: source.cancel()
    }
  }

  /// Ends whatever it went through: active, or cancelled.
  func conclude() throws { if !source.isCancelled { try source.activate() } }
}

private func judge(
  _ subjects: [Subject5], _ dispatcher: Dispatcher, _ pollers: WorkerPollers, _ context: CheckContext
) throws {
  for subject in subjects {
    try subject.conclude()
    try context.drain(subject.queue)
  }
  try context.eventually("every cancelled source has run its cancel handler") {
    subjects.allSatisfy { $0.cancelHandlers.value == ($0.source.isCancelled ? 1 : 0) }
  }
  for subject in subjects where !subject.source.isCancelled {
    let before = subject.handled.value
    subject.pipe.write()
    try context.eventually("a surviving source is served") { subject.handled.value > before }
  }
  try context.settle(dispatcher)
  for subject in subjects {
    let place = subject.source.registeredWorker
    if subject.source.isCancelled {
      context.expect(place == nil, "a cancelled source is registered with worker \(place ?? -1)")
    } else {
      context.expect(place != nil, "an active source is registered nowhere")
      if let pinned = subject.queue.pinnedWorker {
        context.expect(place == pinned, "a source pinned to worker \(pinned) is registered with \(place ?? -1)")
      }
    }
    if let held = pollers.workers(holding: subject.pipe.readEnd) {
      context.expect(held == (place.map { [$0] } ?? []), "the kernel has it with workers \(held), not \(place ?? -1)")
    }
    context.record("sources in their place")
  }
  let registered = dispatcher.metrics.reduce(0) { $0 + $1.registrations }
  let expected = subjects.count { !$0.source.isCancelled }
  context.expect(registered == expected, "\(registered) registrations are counted for \(expected) sources")
}

private func randomOrders(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let pollers = try WorkerPollers(dispatcher, context)
  let targets: [any Queue] =
    dispatcher.threadQueues + [dispatcher.global(), dispatcher.makeSerialQueue(label: "other")]
  var random = context.random()
  for _ in 0..<context.scaled(12, minimum: 2) {
    let subjects = try (0..<8).map { try Subject5(context, dispatcher, $0) }
    for subject in subjects {
      for _ in 0..<random.below(40) { try subject.act(&random, targets, mayCancel: random.oneIn(4)) }
    }
    try judge(subjects, dispatcher, pollers, context)
    try cancelAll(subjects, context)
  }
}

private func racingOrders(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let pollers = try WorkerPollers(dispatcher, context)
  let targets: [any Queue] =
    dispatcher.threadQueues + [dispatcher.global(), dispatcher.makeSerialQueue(label: "other")]
  let each = context.scaled(400, minimum: 60)
  for _ in 0..<context.scaled(6, minimum: 2) {
    let subjects = try (0..<6).map { try Subject5(context, dispatcher, $0) }
    try context.onThreads(4) { _, random in
      for _ in 0..<each {
        try random.pick(subjects).act(&random, targets, mayCancel: random.oneIn(20))
      }
    }
    try judge(subjects, dispatcher, pollers, context)
    try cancelAll(subjects, context)
  }
}

private func offAStuckWorker(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let pollers = try WorkerPollers(dispatcher, context)
  // Never to the stuck one, or their deliveries would rightly wait.
  let targets: [any Queue] = [dispatcher.threadQueues[1], dispatcher.threadQueues[2]]
  var random = context.random()
  let subjects = try (0..<6).map { try Subject5(context, dispatcher, $0) }
  for subject in subjects {
    try context.move(subject.queue, to: dispatcher.threadQueues[0])
    try subject.source.activate()
    context.expect(subject.source.registeredWorker == 0, "a pinned source is registered elsewhere")
  }
  let gate = try context.hold(dispatcher.threadQueues[0])
  for subject in subjects {
    for _ in 0..<20 { try subject.act(&random, targets, mayCancel: random.oneIn(8)) }
    try context.move(subject.queue, to: random.pick(targets))
  }
  for subject in subjects where !subject.source.isCancelled {
    let before = subject.handled.value
    subject.pipe.write()
    try context.eventually("a source that left a stuck worker is served") { subject.handled.value > before }
    context.expect(subject.source.registeredWorker != 0, "a source that left is still with the stuck worker's poller")
    if let held = pollers.workers(holding: subject.pipe.readEnd) {
      context.expect(!held.contains(0), "the kernel still has a source that left with the stuck worker")
    }
  }
  gate.open()
  try judge(subjects, dispatcher, pollers, context)
  try cancelAll(subjects, context)
}

private func cancelAll(_ subjects: [Subject5], _ context: CheckContext) throws {
  for subject in subjects { subject.source.cancel() }
  try context.eventually("all cancel handlers have run, once each") {
    subjects.allSatisfy { $0.cancelHandlers.value == 1 }
  }
}
