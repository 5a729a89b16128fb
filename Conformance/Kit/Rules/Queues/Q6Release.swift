import HawtDispatch

extension Rule {
  static let q6 = Rule(
    "Q6", "a queue without references runs its tasks; captures go before the next task starts",
    why: "queues are made and forgotten; what a task holds must not outlive its turn",
    whereToLook: [QueueFiles.serial, "the handle's deinit", "where the drain lets a job go"],
    checks: [
      Check("dropped queues run what they hold", droppedQueuesRun),
      Check("a suspension held by nobody counts no longer", droppedWhileSuspended),
      Check("a nested queue and its parent, dropped while suspended", droppedNestedAndSuspended),
      Check("captures are released before the next task starts", capturesGoFirst),
      Check("a dropped queue is freed when it has run dry", droppedQueuesAreFreed),
    ])
}

private func droppedQueuesRun(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 1)
    let gate = try context.hold(dispatcher.threadQueues[0])
    let queues = 20
    let ran = context.recorder(of: Int.self)
    for number in 0..<queues {
      let queue = try kind.makeSerial(dispatcher, "dropped \(number)")
      for task in 0..<10 { queue.async { ran.append(number * 10 + task) } }
      queue.asyncAfter(.milliseconds(1)) { ran.append(-1) }
    }
    gate.open()
    let all = try ran.wait(forCount: queues * 11, of: "tasks and timers of dropped queues that were \(kind)")
    for number in 0..<queues {
      let own = all.filter { $0 / 10 == number && $0 >= 0 }
      context.expect(own == own.sorted(), "\(kind): a dropped queue ran out of order: \(own)")
    }
    context.record("tasks of dropped queues", all.count)
  }
}

private func droppedWhileSuspended(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    for depth in 1...3 {
      let done = context.latch(10)
      var queue: SerialQueue? = try kind.makeSerial(dispatcher, "suspended \(depth) times")
      for _ in 0..<depth { queue?.suspend() }
      for _ in 0..<10 { queue?.async { done.signal() } }
      context.expect(done.count == 10, "a suspended queue ran a task")
      queue = nil
      try done.wait(for: "tasks of a queue (\(kind)) dropped with \(depth) suspensions")
      context.record("tasks freed by the drop of a suspended queue", 10)
    }
  }
}

private func droppedNestedAndSuspended(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for round in 0..<context.scaled(200, minimum: 20) {
    let done = context.latch(4)
    var parent: SerialQueue? = dispatcher.makeSerialQueue(label: "parent")
    if let target = parent {
      let child = try dispatcher.makeSerialQueue(label: "child", target: target)
      target.suspend()
      if round % 2 == 0 { child.suspend() }
      for _ in 0..<2 {
        child.async { done.signal() }
        target.async { done.signal() }
      }
    }
    parent = nil
    try done.wait(for: "tasks of a suspended parent and its child, both dropped")
    context.record("tasks of dropped trees", 4)
  }
}

private enum Thrown: Error { case onPurpose }

private func capturesGoFirst(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 2) { $0.errorHandler = { _ in } }
    let queue = try kind.make(dispatcher, "captures")
    let released = Tally()
    let count = context.scaled(2_000, minimum: 100)
    let done = context.latch(count)
    for number in 0..<count {
      let token = Token { released.add() }
      let task: @Sendable () throws -> Void = {
        token.touch()
        if released.value != number {
          context.fail("\(kind): task \(number) started when \(released.value) tasks' captures were released")
        }
        done.signal()
        if number % 7 == 3 { throw Thrown.onPurpose }
      }
      queue.async(task)
    }
    try done.wait(for: "tasks that count the captures before them")
    try context.eventually("the last task's captures are released") { released.value == count }
    context.record("captures released in time", count)
  }
}

private func droppedQueuesAreFreed(_ context: CheckContext) throws {
  let key = QueueKey<Token>()
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let freed = Tally()
    let count = 50
    let done = context.latch(count)
    for _ in 0..<count {
      let queue = try kind.makeSerial(dispatcher, "freed")
      // A value that the queue keeps is let go with the queue itself.
      queue.setSpecific(key, Token { freed.add() })
      queue.async { done.signal() }
    }
    try done.wait(for: "tasks of dropped queues")
    // Another task per worker, so that no frame of a worker can still be holding the last queue it ran.
    for thread in dispatcher.threadQueues { try context.drain(thread) }
    try context.eventually("all \(count) dropped queues (\(kind)) are freed") { freed.value == count }
    context.record("queues freed", count)
  }
}
