import HawtDispatch

extension Rule {
  static let m3 = Rule(
    "M3", "order and exact count survive any retargets; each completes exactly once",
    why: "migration under load must be invisible to what is migrated",
    whereToLook: [MigrationFiles.queue, "epoch, void entries and the chunk list", "the topology lock"],
    checks: [
      Check("a retarget storm from many threads", storm),
      Check("two that race: one wins, wholly", twoRace),
      Check("retargets one after the other are all effective", oneAfterTheOther),
      Check("a storm over a forest of queues, with suspensions", forestStorm),
      Check("migrations are counted, each once, where they begin and where they end", migrationsAreCounted),
      Check("retargets of sources complete once each, after the handler that runs", sourcesComplete),
    ])
}

private func sourcesComplete(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let roots = bench.dispatcher.threadQueues
  for round in 0..<context.scaled(20, minimum: 4) {
    let ends = try bench.ends()
    let gate = context.gate()
    let hasEnded = Tally()
    let source = bench.source(ends.near, .write, on: roots[0]) { event in
      event.suspend()
      gate.pass()
      hasEnded.add()
    }
    try source.activate()
    try gate.waitForArrivals()
    let outcomes = context.recorder(of: (outcome: SerialQueue.RetargetOutcome, wasFree: Bool, at: Bool).self)
    let moves = 1 + round % 4
    for number in 1...moves {
      let root = roots[number % 3]
      try source.setTarget(root) { outcome in outcomes.append((outcome, hasEnded.value == 1, root.isExecuting)) }
    }
    let early = outcomes.all.count { $0.outcome == .effective }
    context.expect(early == 0, "a source's retarget was called effective while its handler ran at the old place")
    gate.open()
    let all = try outcomes.wait(forCount: moves, of: "completions of \(moves) retargets of a source")
    try bench.settle(roots[moves % 3])
    let effective = all.filter { $0.outcome == .effective }
    context.expect(
      outcomes.count == moves && effective.count == 1 && effective[0].wasFree,
      "\(moves) retargets of a source whose handler ran came to \(outcomes.all)")
    context.expect(all.allSatisfy(\.at), "a completion of a source's retarget ran elsewhere than at its target")
    context.expect(source.registeredWorker == moves % 3, "a source is not registered where it was moved to last")
    context.record("completions of sources' retargets", moves)
    try bench.cancelAndWait(source)
  }
}

/// Counts what became of retargets: each must be heard of once.
private final class Outcomes: Sendable {
  private let heard: Recorder<(number: Int, outcome: SerialQueue.RetargetOutcome)>
  private let accepted = Tally()

  init(_ context: CheckContext) { heard = context.recorder() }

  /// Retargets and follows what becomes of it.
  func retarget(_ queue: SerialQueue, to target: any Queue) throws {
    let number = accepted.add()
    try queue.setTarget(target) { [heard] outcome in heard.append((number, outcome)) }
  }

  /// Retargets where a refusal is to be expected (a cycle, a chain that is too deep).
  func retargetIfLegal(_ queue: SerialQueue, to target: any Queue, _ context: CheckContext) {
    let refusedHeard = Tally()
    let number = accepted.add()
    do {
      try queue.setTarget(target) { [heard] outcome in
        heard.append((number, outcome))
        refusedHeard.add()
      }
    } catch {
      context.expect(refusedHeard.value == 0, "a refused retarget completed")
      refused.add()
    }
  }

  private let refused = Tally()

  func judge(_ context: CheckContext) throws {
    let due = accepted.value - refused.value
    let all = try heard.wait(forCount: due, of: "completions of \(due) retargets")
    // One too many would come late: give it the time of a few rounds.
    context.pause(.milliseconds(5))
    context.expect(heard.count == due, "\(due) retargets completed \(heard.count) times")
    context.expect(Set(all.map(\.number)).count == all.count, "a retarget completed twice")
    let effective = all.count { $0.outcome == .effective }
    context.expect(effective > 0 || due == 0, "of \(due) retargets none was effective")
    context.record("effective retargets", effective)
    context.record("superseded retargets", all.count - effective)
  }
}

/// Tasks numbered by producer and queue: what must stay in order and complete.
private final class Ledger: Sendable {
  private let next: Shared<[String: Int]> = Shared([:])
  private let context: CheckContext
  private let ran = Tally()
  private let submitted = Tally()

  init(_ context: CheckContext) { self.context = context }

  func submit(_ number: Int, by producer: Int, to queue: SerialQueue) {
    submitted.add()
    queue.async { [self] in
      let key = "\(producer)/\(queue.label)"
      let due = next.with { table in
        defer { table[key] = number }
        return table[key] ?? -1
      }
      context.expect(due < number, "producer \(producer)'s task \(number) on \(queue.label) ran after its \(due)")
      ran.add()
    }
  }

  func judge() throws {
    try context.eventually("all \(submitted.value) tasks have run") { ran.value >= submitted.value }
    context.expect(ran.value == submitted.value, "of \(submitted.value) tasks, \(ran.value) ran")
    context.record("tasks in order through a storm", ran.value)
  }
}

private func storm(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  let queue = dispatcher.makeSerialQueue(label: "stormy")
  let other = try dispatcher.makeSerialQueue(label: "other", target: dispatcher.threadQueues[2])
  let targets: [any Queue] =
    dispatcher.threadQueues + [other, dispatcher.global(.high), dispatcher.global(.default), dispatcher.global(.low)]
  let outcomes = Outcomes(context)
  let ledger = Ledger(context)
  let inside = OverlapDetector()
  let each = context.scaled(8_000, minimum: 300)
  try context.onThreads(5) { index, random in
    for number in 0..<each {
      if index < 3 {
        ledger.submit(number, by: index, to: queue)
        if random.oneIn(100) {
          queue.async {
            inside.enter()
            spin(.microseconds(3))
            inside.leave()
          }
        }
      } else if random.oneIn(3) {
        try outcomes.retarget(queue, to: random.pick(targets))
      } else {
        spin(.nanoseconds(random.below(2_000)))
      }
    }
  }
  // The last word, when all others have been spoken.
  try outcomes.retarget(queue, to: dispatcher.threadQueues[1])
  try ledger.judge()
  try outcomes.judge(context)
  context.expect(inside.count == 0, "two tasks of one queue ran at once in a storm")
  context.expect(queue.pinnedWorker == 1, "after the last retarget the queue is pinned to another worker")
  try context.drain(inTask: queue) {
    context.expect(threads.current == 1, "after the last retarget a task ran on another thread")
  }
}

private func twoRace(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let threads = try WorkerThreads(dispatcher, context)
  let rounds = context.scaled(500, minimum: 40)
  let queues = (0..<rounds).map { dispatcher.makeSerialQueue(label: "raced for \($0)") }
  let won = context.recorder(of: [Int].self)
  let heard = context.recorder(of: [Int].self)
  try context.onThreads(2) { worker, random in
    for (round, queue) in queues.enumerated() {
      if round % 3 == 0 { queue.async {} }
      spin(.nanoseconds(random.below(2_000)))
      try queue.setTarget(dispatcher.threadQueues[worker]) { outcome in
        if outcome == .effective { won.append([round, worker]) }
        heard.append([round, worker])
      }
    }
  }
  try heard.wait(forCount: 2 * rounds, of: "completions of racing retargets")
  let winners = Set(won.all)
  for (round, queue) in queues.enumerated() {
    let final = queue.pinnedWorker ?? -1
    context.expect(queue.target.label == dispatcher.threadQueues[max(0, final)].label, "target and pinning disagree")
    context.expect(winners.contains([round, final]), "the retarget that won was told to be superseded")
    try context.drain(inTask: queue) {
      context.expect(threads.current == final, "a task ran where the loser wanted it")
    }
  }
  context.record("races of two", rounds)
}

private func oneAfterTheOther(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let queue = dispatcher.makeSerialQueue(label: "steps")
  let targets: [any Queue] = dispatcher.threadQueues + [dispatcher.global(.low), dispatcher.threadQueues[0]]
  for step in 0..<context.scaled(800, minimum: 60) {
    let outcome = Shared<SerialQueue.RetargetOutcome?>(nil)
    // The same target again, an idle queue, a queue with work: all the same.
    if step % 3 == 0 { for _ in 0..<5 { queue.async {} } }
    try queue.setTarget(targets[step / 2 % targets.count]) { result in outcome.with { $0 = result } }
    try context.require(outcome.wait(atMost: context.patience) { $0 != nil }, "retarget \(step) never completed")
    context.expect(outcome.with { $0 } == .effective, "retarget \(step), alone, was superseded")
    context.record("effective retargets in steps")
  }
}

private func forestStorm(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let queues = (0..<8).map { dispatcher.makeSerialQueue(label: "node \($0)") }
  let roots: [any Queue] = dispatcher.threadQueues + [dispatcher.global(.high), dispatcher.global()]
  let outcomes = Outcomes(context)
  let ledger = Ledger(context)
  let each = context.scaled(6_000, minimum: 200)
  try context.onThreads(5) { index, random in
    for number in 0..<each {
      let queue = random.pick(queues)
      switch index {
      case 0, 1, 2: ledger.submit(number, by: index, to: queue)
      case 3:
        // Onto each other as well as onto roots: most of the time legal, sometimes a cycle.
        let target: any Queue = random.oneIn(2) ? random.pick(queues) : random.pick(roots)
        outcomes.retargetIfLegal(queue, to: target, context)
        spin(.nanoseconds(random.below(2_000)))
      default:
        if random.oneIn(2) {
          queue.suspend()
          spin(.nanoseconds(random.below(3_000)))
          queue.resume()
        } else {
          // From within a task of the queue, its own retarget.
          queue.async { [target = random.pick(roots)] in outcomes.retargetIfLegal(queue, to: target, context) }
        }
      }
    }
  }
  try ledger.judge()
  for queue in queues { try context.drain(queue) }
  try outcomes.judge(context)
}

/// Only what changes the root's thread is a migration: not a retarget to where the queue is already, and not one to a
/// global queue and back.
private func migrationsAreCounted(_ context: CheckContext) throws {
  let workers = 3
  let dispatcher = try context.makeDispatcher(workers: workers)
  var random = context.random()
  let threads = dispatcher.threadQueues
  let parents = try threads.map { try dispatcher.makeSerialQueue(label: "parent", target: $0) }
  let queue = try dispatcher.makeSerialQueue(label: "counted", target: threads[0])
  // What goes along is no queue that was moved.
  let nested = try dispatcher.makeSerialQueue(label: "nested", target: queue)
  let pipe = try context.makePipe()
  let source = dispatcher.makeReadSource(pipe.readEnd, target: nested) { _ in }
  try source.activate()
  var expected = (leaving: [Int](repeating: 0, count: workers), arriving: [Int](repeating: 0, count: workers))
  let before = dispatcher.metrics
  var at = 0
  let steps = context.scaled(400, minimum: 60)
  for step in 0..<steps {
    let next = random.below(workers)
    if random.oneIn(4) {
      try context.move(queue, to: dispatcher.global(.low))
      try context.move(queue, to: threads[at])
    }
    if step % 3 == 0 { queue.async {} }
    try context.move(queue, to: random.oneIn(2) ? threads[next] : parents[next])
    if next != at {
      expected.leaving[at] += 1
      expected.arriving[next] += 1
    }
    at = next
  }
  let after = dispatcher.metrics
  let leaving = zip(after, before).map { $0.migrationsOut - $1.migrationsOut }
  let arriving = zip(after, before).map { $0.migrationsIn - $1.migrationsIn }
  context.expect(leaving == expected.leaving, "\(expected.leaving) migrations from each worker, counted \(leaving)")
  context.expect(arriving == expected.arriving, "\(expected.arriving) migrations to each worker, counted \(arriving)")
  context.record("migrations counted", expected.leaving.reduce(0, +))
  source.cancel()
}
