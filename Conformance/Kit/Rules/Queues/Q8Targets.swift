import HawtDispatch

extension Rule {
  static let q8 = Rule(
    "Q8", "target chains up to 64 deep; deeper ones and cycles are refused, and change nothing",
    why: "a cycle would hang its queues for ever, and a refusal that changes something cannot be handled",
    whereToLook: ["the topology lock and its cycle check", QueueFiles.serial],
    checks: [
      Check("64 queues in a chain work, a 65th is refused", deepestChain),
      Check("another depth, if the configuration says so", configuredDepth),
      Check("grafting a tree that would be too deep", graftTooDeep),
      Check("cycles of every length", cycles),
      Check("cycles made by several retargets at once", racingCycles),
      Check("a depth reached by two retargets at once", racingDepth),
    ])
}

/// Queues each of which targets the one before, the first a root.
private func makeChain(_ length: Int, _ name: String, on dispatcher: Dispatcher) throws -> [SerialQueue] {
  var queues: [SerialQueue] = []
  for index in 0..<length {
    let target: any Queue = queues.last ?? dispatcher.global()
    queues.append(try dispatcher.makeSerialQueue(label: "\(name) \(index)", target: target))
  }
  return queues
}

/// How many serial queues lie on the way from `queue` to its root, itself included; more than 100 means a cycle.
private func depth(of queue: SerialQueue) -> Int {
  var count = 1
  var next = queue.target
  while let serial = next as? SerialQueue, count <= 100 {
    count += 1
    next = serial.target
  }
  return count
}

/// Whether an attempt was refused, and rightly.
private func refusal(_ attempt: () throws -> Void) -> DispatcherError? {
  do {
    try attempt()
    return nil
  } catch { return error as? DispatcherError }
}

private func deepestChain(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher()
  let roots: [any Queue] = [dispatcher.global(.low), dispatcher.threadQueues[0]]
  for root in roots {
    let queues = try makeChain(64, "link", on: dispatcher)
    try queues[0].setTarget(root)
    let done = context.latch(64)
    for queue in queues { queue.async { done.signal() } }
    try done.wait(for: "tasks in a chain of 64")
    let error = refusal { _ = try dispatcher.makeSerialQueue(label: "one more", target: queues[63]) }
    guard case .targetTooDeep(let queue, let target, let limit)? = error else {
      throw CheckFailure("a 65th queue in a chain was answered with \(error.map { "\($0)" } ?? "success")")
    }
    context.expect(
      queue == "one more" && target == "link 63" && limit == 64,
      "the refusal names '\(queue)', '\(target)' and the limit \(limit)")
    // The deepest task sees all of them as its frames.
    try context.drain(inTask: queues[63]) {
      context.expect(queues.allSatisfy(\.isExecuting), "not all 64 enclosing queues are executing")
    }
    context.record("chains of 64")
  }
}

private func configuredDepth(_ context: CheckContext) throws {
  for depth in [1, 3, 200] {
    let dispatcher = try context.makeDispatcher { $0.maximumTargetDepth = depth }
    let queues = try makeChain(depth, "link", on: dispatcher)
    try context.drain(inTask: queues[depth - 1]) {
      context.expect(queues.allSatisfy(\.isExecuting), "not all \(depth) enclosing queues are executing")
    }
    let error = refusal { _ = try dispatcher.makeSerialQueue(target: queues[depth - 1]) }
    guard case .targetTooDeep(_, _, depth)? = error else {
      throw CheckFailure("one queue more than \(depth) was answered with \(error.map { "\($0)" } ?? "success")")
    }
    context.record("chains of \(depth)")
  }
}

private func graftTooDeep(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher()
  let trunk = try makeChain(40, "trunk", on: dispatcher)
  let branch = try makeChain(25, "branch", on: dispatcher)
  let error = refusal { try branch[0].setTarget(trunk[39]) }
  guard case .targetTooDeep? = error else {
    throw CheckFailure("a graft of 40 + 25 was answered with \(error.map { "\($0)" } ?? "success")")
  }
  context.expect(branch[0].target.label == dispatcher.global().label, "a refused graft changed the target")
  context.expect(depth(of: branch[24]) == 25, "a refused graft changed the depth to \(depth(of: branch[24]))")
  for queue in trunk + branch { try context.drain(queue) }
  try branch[0].setTarget(trunk[38])
  context.expect(depth(of: branch[24]) == 64, "a graft of 39 + 25 came to \(depth(of: branch[24]))")
  try context.drain(branch[24])
  context.record("grafts", 2)
}

private func cycles(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher()
  for length in [1, 2, 3, 10, 64] {
    let queues = try makeChain(length, "ring", on: dispatcher)
    for top in Set([0, length / 2, length - 1]) {
      let before = queues[0].target.label
      let completed = Tally()
      let error = refusal { try queues[0].setTarget(queues[top]) { _ in completed.add() } }
      guard case .targetCycle(let queue, let target)? = error else {
        throw CheckFailure("a ring of \(top + 1) queues was answered with \(error.map { "\($0)" } ?? "success")")
      }
      context.expect(queue == "ring 0" && target == "ring \(top)", "the refusal names '\(queue)' and '\(target)'")
      context.expect(queues[0].target.label == before, "a refused ring changed the target")
      for queue in queues { try context.drain(queue) }
      context.expect(completed.value == 0, "a refused retarget completed")
      context.record("rings refused")
    }
  }
}

private func racingCycles(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for threads in [2, 3] {
    let rounds = context.scaled(600, minimum: 60)
    let rings = (0..<rounds).map { _ in
      (0..<threads).map { dispatcher.makeSerialQueue(label: "racer \($0)") }
    }
    let refused = Tally()
    try context.onThreads(threads) { index, random in
      for ring in rings {
        if random.oneIn(2) { spin(.nanoseconds(random.below(3_000))) }
        if refusal({ try ring[index].setTarget(ring[(index + 1) % threads]) }) != nil { refused.add() }
      }
    }
    for ring in rings {
      context.expect(ring.allSatisfy { depth(of: $0) <= threads }, "\(threads) retargets at once made a ring")
      for queue in ring { try context.drain(queue) }
    }
    context.expect(
      refused.value == rounds,
      "\(refused.value) of \(threads * rounds) retargets were refused, where \(rounds) would have closed a ring")
    context.record("rings raced for", rounds)
  }
}

private func racingDepth(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for _ in 0..<context.scaled(40, minimum: 5) {
    let top = try makeChain(30, "top", on: dispatcher)
    let middle = try makeChain(20, "middle", on: dispatcher)
    let bottom = try makeChain(30, "bottom", on: dispatcher)
    // Either graft alone makes 50; both would make 80.
    let refused = Tally()
    try context.onThreads(2) { index, _ in
      let (upper, lower) = index == 0 ? (top[0], middle[19]) : (middle[0], bottom[29])
      if refusal({ try upper.setTarget(lower) }) != nil { refused.add() }
    }
    context.expect(refused.value == 1, "of two grafts that fit alone, \(refused.value) were refused")
    context.expect(depth(of: top[29]) <= 64, "two grafts at once made a chain of \(depth(of: top[29]))")
    try context.drain(top[29])
    context.record("depths raced for")
  }
}
