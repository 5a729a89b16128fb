import HawtDispatch

extension Rule {
  static let q2 = Rule(
    "Q2", "never two tasks of one serial queue at once; one's end happens-before the next's start",
    why: "state that belongs to a queue is used without a lock",
    whereToLook: [QueueFiles.serial, "the queue's state word: who may drain"],
    checks: [
      Check("unguarded state under many producers", unguardedState),
      Check("queues nested in one queue share one order of execution", nestedQueuesExclude),
      Check("exclusion while suspended, resumed and retargeted", exclusionInAStorm),
      Check("nothing that is done to a queue lets a second task in while one is held", secondTaskWhileHeld),
    ])
}

private func unguardedState(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 4)
    let queue = try kind.make(dispatcher, "exclusive")
    let each = context.scaled(20_000, minimum: 500)
    let sum = Unguarded(0)
    let inside = OverlapDetector()
    let done = context.latch(4 * each)
    try context.onThreads(4) { _, random in
      for _ in 0..<each {
        queue.async {
          inside.enter()
          sum.value += 1
          inside.leave()
          done.signal()
        }
        if random.oneIn(500) { spin(.microseconds(30)) }
      }
    }
    try done.wait(for: "tasks on a queue that is \(kind)")
    context.expect(inside.count == 0, "\(kind): two tasks of one queue ran at once, \(inside.count) times")
    // Read on the queue: the end of each task must be visible to the next.
    let total = try queue.sync { sum.value }
    context.expect(total == 4 * each, "\(kind): \(4 * each) unguarded increments came to \(total)")
    context.record("unguarded increments", total)
  }
}

private func nestedQueuesExclude(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 4)
  let root = dispatcher.makeSerialQueue(label: "root")
  var queues = [root]
  for index in 0..<9 {
    let parent = queues[(index + 1) / 3]
    queues.append(try dispatcher.makeSerialQueue(label: "nested \(index)", target: parent))
  }
  let each = context.scaled(3_000, minimum: 100)
  let sum = Unguarded(0)
  let inside = OverlapDetector()
  let done = context.latch(4 * each * queues.count)
  try context.onThreads(4) { [queues] _, random in
    for _ in 0..<each * queues.count {
      random.pick(queues).async {
        inside.enter()
        sum.value += 1
        inside.leave()
        done.signal()
      }
    }
  }
  try done.wait(for: "tasks of nested queues")
  context.expect(inside.count == 0, "tasks of queues nested in one queue ran at once, \(inside.count) times")
  let total = try root.sync { sum.value }
  context.expect(total == 4 * each * queues.count, "unguarded increments were lost: \(total)")
  context.record("increments from nested queues", total)
}

private func exclusionInAStorm(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 4)
  let queue = dispatcher.makeSerialQueue(label: "stormy")
  let targets: [any Queue] = dispatcher.threadQueues + [dispatcher.global(.high), dispatcher.global(.low)]
  let each = context.scaled(10_000, minimum: 300)
  let sum = Unguarded(0)
  let inside = OverlapDetector()
  let done = context.latch(2 * each)
  try context.onThreads(4) { index, random in
    for _ in 0..<each {
      switch index {
      case 0:
        if random.oneIn(4) { try queue.setTarget(random.pick(targets)) }
      case 1:
        queue.suspend()
        if random.oneIn(8) { spin(.microseconds(5)) }
        queue.resume()
      default:
        queue.async {
          inside.enter()
          sum.value += 1
          // Long enough, now and then, for another worker to come in beside it.
          if sum.value % 16 == 0 { spin(.microseconds(4)) }
          inside.leave()
          done.signal()
        }
      }
    }
  }
  try done.wait(for: "tasks of a queue that is suspended, resumed and retargeted all the time")
  context.expect(inside.count == 0, "two tasks ran at once, \(inside.count) times")
  let total = try queue.sync { sum.value }
  context.expect(total == 2 * each, "unguarded increments were lost: \(total) of \(2 * each)")
  context.record("increments in a storm", total)
}

/// One operation at a time on a queue whose task is held, with free workers beside it that would take a second one.
private func secondTaskWhileHeld(_ context: CheckContext) throws {
  let operations: [(name: String, act: (SerialQueue, Dispatcher) throws -> Void)] = [
    ("submissions", { queue, _ in for _ in 0..<5 { queue.async {} } }),
    (
      "suspend and resume",
      { queue, _ in
        queue.suspend()
        queue.resume()
      }
    ),
    ("a retarget to a global queue", { try $0.setTarget($1.global(.high)) }),
    ("a retarget to a thread", { try $0.setTarget($1.threadQueues[2]) }),
    ("a retarget to another queue", { try $0.setTarget($1.makeSerialQueue()) }),
    ("a timer", { queue, _ in queue.asyncAfter(.zero) {} }),
  ]
  for kind in QueueKind.serial {
    let dispatcher = try context.makeDispatcher(workers: 3)
    for first in operations {
      for second in operations {
        let queue = try kind.makeSerial(dispatcher, "held")
        let gate = try context.hold(queue)
        let ran = Tally()
        for _ in 0..<3 { queue.async { ran.add() } }
        try first.act(queue, dispatcher)
        try second.act(queue, dispatcher)
        context.pause(.microseconds(300))
        context.expect(
          ran.value == 0, "\(kind): after \(first.name), then \(second.name), a task ran beside one that is held")
        gate.open()
        try context.drain(queue)
        context.record("pairs of operations on a held queue")
      }
    }
  }
}
