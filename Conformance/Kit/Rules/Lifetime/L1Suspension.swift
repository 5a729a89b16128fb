import HawtDispatch

extension Rule {
  static let l1 = Rule(
    "L1", "suspensions nest and hold children; resuming too often traps; a suspended queue costs no wake-ups",
    why: "a suspended queue is how a user holds a session still; a leak through it breaks that",
    whereToLook: ["Sources/HawtDispatch/Queues/SerialQueue.swift", "the suspend count in the state word"],
    checks: [
      Check("suspensions nest, the order stays", suspensionsNest),
      Check("a suspended queue holds what is nested in it, timers and sources too", childrenAreHeld),
      Check("the running task finishes, and none starts after", runningTaskFinishes),
      Check("suspension races self-posting and retargets", suspensionRaces),
      Check("submissions to a suspended queue wake nobody", noWakeUps),
      Check("suspended and resumed again and again, it has one entry in its target", oneEntryInTheTarget),
      Check("a low-water call may suspend its queue", lowWaterSuspends),
      Check("resuming too often traps and names the object") { context in
        for scenario in ["resume", "resume twice", "resume from the own task", "resume after a race"] {
          try context.expectTrap(in: scenario, naming: ["over-resumed queue"])
        }
        try context.expectTrap(in: "resume a source", naming: ["read source of descriptor "])
        try context.expectTrap(in: "resume a timer", naming: ["timer source", "over-resumed queue"])
        try context.expectTrap(in: "resume a merging source", naming: ["merging source", "over-resumed queue"])
        try context.expectTrap(in: "resume a signal source", naming: ["source of signal 10"])
      },
    ],
    scenarios: trapScenarios)
}

private let trapScenarios: [Scenario] = [
  Scenario("resume") { context in
    try context.makeDispatcher().makeSerialQueue(label: "over-resumed queue").resume()
  },
  Scenario("resume twice") { context in
    let queue = try context.makeDispatcher().makeSerialQueue(label: "over-resumed queue")
    queue.suspend()
    queue.suspend()
    for _ in 0..<3 { queue.resume() }
  },
  Scenario("resume from the own task") { context in
    let queue = try context.makeDispatcher().makeSerialQueue(label: "over-resumed queue")
    try context.drain(inTask: queue) { queue.resume() }
  },
  Scenario("resume after a race") { context in
    let queue = try context.makeDispatcher().makeSerialQueue(label: "over-resumed queue")
    try context.onThreads(3) { _, _ in
      for _ in 0..<200 {
        queue.suspend()
        queue.async {}
        queue.resume()
      }
    }
    queue.resume()
  },
  Scenario("resume a source") { context in
    let dispatcher = try context.makeDispatcher()
    let pipe = try context.makePipe()
    dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.global()).resume()
  },
  Scenario("resume a timer") { context in
    let dispatcher = try context.makeDispatcher()
    dispatcher.makeTimerSource(target: dispatcher.makeSerialQueue(label: "over-resumed queue")).resume()
  },
  Scenario("resume a merging source") { context in
    let dispatcher = try context.makeDispatcher()
    let aggregation: Aggregation<Int, Int> = .sum
    dispatcher.makeMergingSource(aggregation, target: dispatcher.makeSerialQueue(label: "over-resumed queue")).resume()
  },
  Scenario("resume a signal source") { context in
    let dispatcher = try context.makeDispatcher()
    // SIGUSR1.
    dispatcher.makeSignalSource(10, target: dispatcher.global()).resume()
  },
]

private func suspensionsNest(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.makeSerial(dispatcher, "nests")
    for depth in [1, 2, 3, 50] {
      let ran = context.recorder(of: Int.self)
      for _ in 0..<depth { queue.suspend() }
      // A runner may still be on its way out of the round before.
      try context.eventually("a queue that was suspended \(depth) times says so (it says \(queue.state))") {
        queue.state == .suspended(count: depth)
      }
      for number in 0..<40 {
        context.expect(queue.async { ran.append(number) }.isAccepted, "a suspended queue refused a task")
      }
      for _ in 1..<depth { queue.resume() }
      // Whoever let a task through would have had time to run it.
      for thread in dispatcher.threadQueues { try context.drain(thread) }
      context.pause(.milliseconds(2))
      context.expect(ran.count == 0, "\(kind): a task ran with one suspension of \(depth) left")
      context.expect(queue.depth == 40, "\(kind): the depth of a suspended queue is \(queue.depth)")
      queue.resume()
      let order = try ran.wait(forCount: 40, of: "tasks of a resumed queue")
      context.expect(order == Array(0..<40), "\(kind): suspension changed the order")
      context.record("suspensions nested", depth)
    }
  }
}

private func childrenAreHeld(_ context: CheckContext) throws {
  for pinned in [false, true] {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let root: any Queue = pinned ? dispatcher.threadQueues[0] : dispatcher.global()
    let top = try dispatcher.makeSerialQueue(label: "top", target: root)
    let middle = try dispatcher.makeSerialQueue(label: "middle", target: top)
    let leaves = try (0..<3).map { try dispatcher.makeSerialQueue(label: "leaf \($0)", target: middle) }
    let ran = Tally()
    let pipe = try context.makePipe()
    let source = dispatcher.makeReadSource(pipe.readEnd, target: leaves[0]) { _ in
      _ = pipe.drain()
      ran.add()
    }
    try source.activate()
    for held in [top, middle] {
      held.suspend()
      let before = ran.value
      for leaf in leaves { leaf.async { ran.add() } }
      middle.async { ran.add() }
      leaves[1].asyncAfter(.microseconds(50)) { ran.add() }
      pipe.write()
      for thread in dispatcher.threadQueues { try context.drain(thread) }
      context.pause(.milliseconds(5))
      context.expect(ran.value == before, "\(ran.value - before) tasks nested in suspended '\(held.label)' ran")
      // A suspension of a child and one of its parent are two.
      leaves[2].suspend()
      held.resume()
      try context.eventually("what was held runs") { ran.value >= before + 5 }
      context.pause(.milliseconds(1))
      context.expect(ran.value == before + 5, "a leaf that is suspended itself ran with its parent's resume")
      leaves[2].resume()
      try context.eventually("the last leaf runs") { ran.value == before + 6 }
      context.record("tasks, timers and events held with a parent", 6)
    }
    // A parent's sibling is not held.
    middle.suspend()
    try context.drain(top)
    middle.resume()
    source.cancel()
  }
}

private func runningTaskFinishes(_ context: CheckContext) throws {
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let queue = try kind.makeSerial(dispatcher, "running")
    for fromInside in [false, true] {
      let gate = context.gate()
      let finished = context.latch()
      let ran = Tally()
      queue.async {
        if fromInside { queue.suspend() }
        gate.pass()
        finished.signal()
      }
      for _ in 0..<20 { queue.async { ran.add() } }
      try gate.waitForArrivals()
      if !fromInside { queue.suspend() }
      gate.open()
      try finished.wait(for: "the task that was running when its queue was suspended")
      for thread in dispatcher.threadQueues { try context.drain(thread) }
      context.pause(.milliseconds(2))
      context.expect(ran.value == 0, "\(kind): \(ran.value) tasks started on a suspended queue (inside: \(fromInside))")
      queue.resume()
      try context.eventually("the tasks run when it is resumed") { ran.value == 20 }
      context.record("running tasks that finished")
    }
  }
}

/// While a queue posts to itself: at most the task that had been taken may begin after `suspend` has returned.
private func suspensionRaces(_ context: CheckContext) throws {
  for nested in [false, true] {
    let dispatcher = try context.makeDispatcher(workers: 3)
    let queue = dispatcher.makeSerialQueue(label: "held")
    let runner = nested ? try dispatcher.makeSerialQueue(label: "nested", target: queue) : queue
    let isHeld = Tally()
    let late = Tally()
    let starts = Tally()
    let isStopped = Tally()
    context.atEnd { isStopped.set(1) }
    @Sendable func post() {
      guard isStopped.value == 0 else { return }
      runner.async {
        if isHeld.value == 1 { late.add() }
        starts.add()
        post()
      }
    }
    for _ in 0..<3 { post() }
    let rounds = context.scaled(800, minimum: 50)
    var random = context.random(nested ? 1 : 0)
    for round in 0..<rounds {
      queue.suspend()
      isHeld.set(1)
      let before = late.value
      if round % 5 == 0 { try queue.setTarget(random.pick(dispatcher.threadQueues)) }
      spin(.nanoseconds(random.below(10_000)))
      let begun = late.value - before
      context.expect(begun <= 1, "\(begun) tasks began after suspend had returned (nested: \(nested))")
      isHeld.set(0)
      late.set(0)
      queue.resume()
      let seen = starts.value
      try context.eventually("a resumed queue goes on") { starts.value > seen }
    }
    isStopped.set(1)
    context.record("suspensions of a self-posting queue", rounds)
  }
}

private func noWakeUps(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2) { $0.idleSpin = .zero }
  let parent = dispatcher.makeSerialQueue(label: "parent")
  let child = try dispatcher.makeSerialQueue(label: "child", target: parent)
  let pinned = try dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[0])
  for queue in [parent, pinned] { queue.suspend() }
  try context.settle(dispatcher)
  context.pause(.milliseconds(50))
  let before = dispatcher.metrics.map { [$0.wakeUps, $0.waits] }
  let ran = Tally()
  for _ in 0..<500 {
    for queue in [child, parent, pinned] { queue.async { ran.add() } }
    child.suspend()
    child.resume()
  }
  context.pause(.milliseconds(20))
  let after = dispatcher.metrics.map { [$0.wakeUps, $0.waits] }
  context.expect(
    before == after, "1,500 submissions to suspended queues changed wake-ups and waits \(before) to \(after)")
  for queue in [parent, pinned] { queue.resume() }
  try context.eventually("all run on resume") { ran.value == 1_500 }
  context.record("submissions to suspended queues without a wake-up", 1_500)
}

/// Behind a task that holds the target, what each pair of calls left there would pile up.
private func oneEntryInTheTarget(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let outer = dispatcher.makeSerialQueue(label: "outer")
  for target in [dispatcher.threadQueues[0], outer] as [any Queue] {
    let queue = try dispatcher.makeSerialQueue(label: "held still", target: target)
    let gate = try context.hold(target)
    let ran = context.latch()
    queue.async { ran.signal() }
    let pairs = context.scaled(2_000, minimum: 200)
    for _ in 0..<pairs {
      queue.suspend()
      queue.resume()
    }
    context.expect(target.depth == 1, "\(pairs) pairs left \(target.depth) entries in '\(target.label)'")
    gate.open()
    try ran.wait(for: "the task of a queue that was suspended \(pairs) times")
    context.record("pairs of suspend and resume", pairs)
  }
}
