import HawtDispatch

extension Rule {
  static let m2 = Rule(
    "M2", "a retarget takes effect at the next task boundary, whatever keeps the old worker busy",
    why: "whoever moves a connection expects that its old thread is done with it",
    whereToLook: [MigrationFiles.queue, "epoch and void entries", "the drain's interrupt word"],
    checks: [
      Check("queued tasks move, the running one finishes", queuedTasksMove),
      Check("off a worker that is stuck in another queue's task", offAStuckWorker),
      Check("to and from a stuck worker, again and again, one entry is left there", commuting),
      Check("self-posting queues and queues nested in the one that moves", selfPostingMoves),
      Check("an ancestor moves while nested queues drain", ancestorOfBusyTree),
    ])
}

private func queuedTasksMove(_ context: CheckContext) throws {
  for round in 0..<context.scaled(60, minimum: 8) {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let threads = try WorkerThreads(dispatcher, context)
    let nested = round % 2 == 1
    let queue = try dispatcher.makeSerialQueue(label: "moves", target: dispatcher.threadQueues[0])
    let runner = nested ? try dispatcher.makeSerialQueue(label: "nested", target: queue) : queue
    let gate = context.gate()
    let places = context.recorder(of: Int?.self)
    runner.async {
      gate.pass()
      places.append(threads.current)
    }
    try gate.waitForArrivals()
    for _ in 0..<200 { runner.async { places.append(threads.current) } }
    let completed = context.recorder(of: Bool.self)
    try queue.setTarget(dispatcher.threadQueues[1]) { outcome in
      completed.append(outcome == .effective && threads.current == 1)
    }
    for _ in 0..<50 { runner.async { places.append(threads.current) } }
    context.expect(places.count == 0, "a task overtook the one that is running")
    context.expect(completed.count == 0, "a retarget completed while its queue was still running at the old target")
    gate.open()
    let all = try places.wait(forCount: 251, of: "tasks of a queue that moved")
    context.expect(all[0] == 0, "the running task changed threads")
    let stayed = all.dropFirst().count { $0 != 1 }
    context.expect(stayed == 0, "\(stayed) of 250 tasks ran on the old thread after the retarget (nested: \(nested))")
    let outcomes = try completed.wait(forCount: 1, of: "the retarget's completion")
    context.expect(outcomes == [true], "the completion was not called as effective on the new thread")
    context.record("tasks that moved", 250)
  }
}

private func offAStuckWorker(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  let gate = try context.hold(dispatcher.threadQueues[0])
  let targets: [(queue: any Queue, allowed: Set<Int>)] = [
    (dispatcher.threadQueues[1], [1]), (dispatcher.global(.high), [1, 2]),
    (try dispatcher.makeSerialQueue(label: "another", target: dispatcher.threadQueues[2]), [2]),
  ]
  for (target, allowed) in targets {
    let queue = try dispatcher.makeSerialQueue(label: "leaves", target: dispatcher.threadQueues[0])
    let nested = try dispatcher.makeSerialQueue(label: "nested", target: queue)
    let order = context.recorder(of: Int.self)
    for number in 0..<300 {
      (number % 3 == 0 ? nested : queue).async {
        let place = threads.current
        context.expect(place.map(allowed.contains) ?? false, "a task ran on worker \(place ?? -1)")
        order.append(number)
      }
    }
    let completed = context.latch()
    try queue.setTarget(target) { outcome in
      context.expect(outcome == .effective, "the only retarget was \(outcome)")
      completed.signal()
    }
    let all = try order.wait(forCount: 300, of: "tasks of a queue that left a stuck worker")
    try completed.wait(for: "the completion of a retarget off a stuck worker")
    for kind in 0...2 {
      let own = all.filter { kind == 0 ? $0 % 3 == 0 : $0 % 3 == kind }
      context.expect(own == own.sorted(), "leaving a stuck worker changed the order")
    }
    context.record("tasks that left a stuck worker", all.count)
  }
  gate.open()
}

/// What a queue leaves in the list of a stuck worker when it moves away can only be taken out by that worker. It must not
/// grow with every visit, and a visit that finds the entry of an earlier one there must be served by it.
private func commuting(_ context: CheckContext) throws {
  for bothAreStuck in [true, false] {
    let dispatcher = try context.makeDispatcher(workers: 2)
    let threads = try WorkerThreads(dispatcher, context)
    let roots = dispatcher.threadQueues
    let gates = try (bothAreStuck ? roots : [roots[0]]).map { try context.hold($0) }
    let queue = try dispatcher.makeSerialQueue(label: "commutes", target: roots[0])
    let places = context.recorder(of: Int?.self)
    let rounds = context.scaled(2_000, minimum: 200)
    var submitted = 0
    func submit() {
      queue.async { places.append(threads.current) }
      submitted += 1
    }
    for _ in 0..<rounds {
      // Scheduled while it is at home, and again after it has run elsewhere.
      if submitted == 0 || !bothAreStuck { submit() }
      try queue.setTarget(roots[1])
      if !bothAreStuck { _ = try places.wait(forCount: submitted, of: "tasks of a queue that left a stuck worker") }
      try queue.setTarget(roots[0])
    }
    let left = roots.map(\.depth)
    context.expect(
      left.allSatisfy { $0 <= 2 },
      "after \(rounds) visits, \(left) entries stand in the thread queues (both stuck: \(bothAreStuck))")
    let before = bothAreStuck ? 0 : submitted
    for _ in 0..<10 { submit() }
    for gate in gates { gate.open() }
    let all = try places.wait(forCount: submitted, of: "tasks of a queue that came back to a stuck worker")
    context.expect(all.dropFirst(before).allSatisfy { $0 == 0 }, "a task ran elsewhere than at the queue's target")
    try context.drain(queue)
    context.expect(places.count == submitted, "\(places.count) of \(submitted) tasks ran")
    context.record("visits to stuck workers", rounds)
  }
}

/// Tasks that post themselves again for ever, and note on which worker they start.
///
/// After a retarget has returned, one task may still begin at the old place: the one that had already been taken.
private final class Wanderer: Sendable {
  private let threads: WorkerThreads
  private let isStopped = Tally()
  /// Which retarget was the last to return, and the workers that it allows, as a bit set.
  private let regime = Tally()
  private let lateStarts = Shared<[Int: Int]>([:])
  private let starts = Tally()

  init(_ threads: WorkerThreads) { self.threads = threads }

  func post(on queue: SerialQueue) {
    guard isStopped.value == 0 else { return }
    queue.async { [self] in
      // Read before anything else: the earlier, the stricter.
      let now = regime.value
      if now > 0, let worker = threads.current, now & (1 << worker) == 0 {
        lateStarts.with { $0[now >> 8, default: 0] += 1 }
      }
      starts.add()
      post(on: queue)
    }
  }

  /// The `number`-th retarget has returned.
  func allow(_ workers: Set<Int>, number: Int) {
    regime.set(number << 8 | workers.reduce(0) { $0 | 1 << $1 })
  }

  /// Between two retargets nothing is judged.
  func allowAll() { regime.set(0) }
  func stop() { isStopped.set(1) }
  var count: Int { starts.value }
  var worst: Int { lateStarts.with { $0.values.max() ?? 0 } }
}

private func selfPostingMoves(_ context: CheckContext) throws {
  for nested in [false, true] {
    let dispatcher = try context.makeDispatcher(workers: 3)
    let wanderer = Wanderer(try WorkerThreads(dispatcher, context))
    context.atEnd { wanderer.stop() }
    let queue = try dispatcher.makeSerialQueue(label: "wanders", target: dispatcher.threadQueues[0])
    let inner = nested ? try dispatcher.makeSerialQueue(label: "inner", target: queue) : queue
    let runner = nested ? try dispatcher.makeSerialQueue(label: "innermost", target: inner) : queue
    // Two in flight, so that there is always a task queued behind the running one.
    wanderer.post(on: runner)
    wanderer.post(on: runner)
    var random = context.random(nested ? 1 : 0)
    let moves = context.scaled(400, minimum: 60)
    for number in 1...moves {
      let worker = random.below(4)
      let target: any Queue = worker == 3 ? dispatcher.global() : dispatcher.threadQueues[worker]
      let completed = context.latch()
      wanderer.allowAll()
      try queue.setTarget(target) { _ in completed.signal() }
      wanderer.allow(worker == 3 ? [0, 1, 2] : [worker], number: number)
      try completed.wait(for: "retarget \(number) of a queue that posts to itself")
      let seen = wanderer.count
      try context.eventually("a queue that posts to itself goes on after retarget \(number)") { wanderer.count > seen }
    }
    wanderer.stop()
    context.expect(
      wanderer.worst <= 1,
      "after a retarget had returned, \(wanderer.worst) tasks started at the old place (nested: \(nested))")
    context.record("moves of self-posting queues", moves)
  }
}

private func ancestorOfBusyTree(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let wanderer = Wanderer(try WorkerThreads(dispatcher, context))
  context.atEnd { wanderer.stop() }
  let root = try dispatcher.makeSerialQueue(label: "root", target: dispatcher.threadQueues[0])
  var tree = [root]
  for index in 0..<12 { tree.append(try dispatcher.makeSerialQueue(label: "\(index)", target: tree[index / 2])) }
  for queue in tree { wanderer.post(on: queue) }
  let moves = context.scaled(200, minimum: 40)
  for number in 1...moves {
    let completed = context.latch()
    wanderer.allowAll()
    try root.setTarget(dispatcher.threadQueues[number % 2]) { _ in completed.signal() }
    wanderer.allow([number % 2], number: number)
    try completed.wait(for: "move \(number) of a busy tree")
  }
  wanderer.stop()
  context.expect(
    wanderer.worst <= 1, "after a retarget had returned, \(wanderer.worst) tasks of the tree started at the old place")
  context.record("moves of a busy tree", moves)
}
