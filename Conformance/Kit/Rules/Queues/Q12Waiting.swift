import HawtDispatch

extension Rule {
  static let q12 = Rule(
    "Q12", "waiting synchronously is for foreign threads; on a worker it traps and names the queues",
    why: "a worker that waits for its own pool may wait for ever, and only sometimes",
    whereToLook: ["sync of each queue", "shutdownAndWait"],
    checks: [
      Check("a foreign thread gets value, error and order", foreignThreadsMayWait),
      Check("a refused call is thrown, not waited for", refusedCalls),
      Check("on a worker it traps and names both queues") { context in
        let both = ["waited-for queue", "running queue"]
        try context.expectTrap(in: "sync on a worker", naming: both)
        try context.expectTrap(in: "sync on its own queue", naming: ["running queue"])
        try context.expectTrap(in: "sync in a timer", naming: both)
        try context.expectTrap(in: "sync on a worker of another dispatcher", naming: both)
        try context.expectTrap(in: "shutdownAndWait on a worker", naming: ["running queue"])
      },
    ],
    scenarios: [
      Scenario("sync on a worker") { context in
        let dispatcher = try context.makeDispatcher()
        let other = dispatcher.makeSerialQueue(label: "waited-for queue")
        try context.drain(inTask: dispatcher.makeSerialQueue(label: "running queue")) { try? other.sync {} }
      },
      Scenario("sync on its own queue") { context in
        let queue = try context.makeDispatcher().makeSerialQueue(label: "running queue")
        try context.drain(inTask: queue) { try? queue.sync {} }
      },
      Scenario("sync in a timer") { context in
        let dispatcher = try context.makeDispatcher()
        let other = dispatcher.makeSerialQueue(label: "waited-for queue")
        let done = context.latch()
        dispatcher.makeSerialQueue(label: "running queue").asyncAfter(.zero) {
          try? other.sync {}
          done.signal()
        }
        try done.wait(for: "the timer")
      },
      Scenario("sync on a worker of another dispatcher") { context in
        let other = try context.makeDispatcher().makeSerialQueue(label: "waited-for queue")
        try context.drain(inTask: try context.makeDispatcher().makeSerialQueue(label: "running queue")) {
          try? other.sync {}
        }
      },
      Scenario("shutdownAndWait on a worker") { context in
        let dispatcher = try context.makeDispatcher()
        try context.drain(inTask: dispatcher.makeSerialQueue(label: "running queue")) {
          dispatcher.shutdownAndWait()
        }
      },
    ])
}

private enum Answer: Error, Equatable { case error(Int) }

private func foreignThreadsMayWait(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  var queues: [any Queue] = [dispatcher.global(), dispatcher.threadQueues[1]]
  for kind in QueueKind.allCases { queues.append(try kind.make(dispatcher, kind.rawValue)) }
  let each = context.scaled(300, minimum: 30)
  try context.onThreads(3) { [queues] index, _ in
    let own = Process.currentThread
    for number in 0..<each {
      for queue in queues {
        let before = Tally()
        queue.async { before.set(1) }
        let answer = try queue.sync {
          context.expect(queue.isExecuting, "the body of sync runs outside its queue")
          context.expect(Process.currentThread != own, "the body of sync ran on the calling thread")
          return (number * 7, before.value)
        }
        context.expect(answer.0 == number * 7, "sync returned another's value")
        // On a concurrent queue the earlier submission may be later; on all others it may not.
        context.expect(answer.1 == 1 || queue is GlobalQueue, "sync overtook an earlier submission")
        do {
          try queue.sync { throw Answer.error(index * each + number) }
          context.fail("sync swallowed an error")
        } catch let error as Answer {
          context.expect(error == .error(index * each + number), "sync threw another's error")
        }
      }
    }
  }
  context.record("synchronous calls from foreign threads", 3 * each * queues.count * 2)
}

private func refusedCalls(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let bounded = dispatcher.makeSerialQueue(label: "bounded", limit: QueueLimit(maximum: 1))
  let gate = try context.hold(bounded)
  bounded.async {}
  do {
    try bounded.sync { context.fail("a refused body ran") }
    context.fail("sync on a full queue returned")
  } catch let error as DispatcherError {
    context.expect(
      error == .refused(queue: "bounded", .queueFull(limit: 1)), "sync on a full queue threw \(error)")
    context.record("refused synchronous calls")
  }
  gate.open()
  let queue = dispatcher.makeSerialQueue(label: "stopped")
  context.expect(dispatcher.shutdownAndWait().isClean, "an idle dispatcher did not stop cleanly")
  let queues: [any Queue] = [queue, dispatcher.global(), dispatcher.threadQueues[0]]
  for queue in queues {
    do {
      try queue.sync { context.fail("a body ran on a stopped dispatcher") }
      context.fail("sync on a stopped dispatcher returned")
    } catch let error as DispatcherError {
      context.expect(
        error == .refused(queue: queue.label, .shutDown), "sync on a stopped dispatcher threw \(error)")
      context.record("refused synchronous calls")
    }
  }
}
