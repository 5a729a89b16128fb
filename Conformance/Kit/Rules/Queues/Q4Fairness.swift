import HawtDispatch

extension Rule {
  static let q4 = Rule(
    "Q4", "a worker leaves one queue after its budget; nothing starves",
    level: .stochastic,
    why: "one busy connection must not make all others, and their timeouts, wait",
    whereToLook: ["the worker's round: budget, run queue, timers, poll", QueueFiles.serial],
    checks: [
      Check("a sibling's turn comes within the budget", siblingWithinBudget),
      Check("the clock is looked at every 16 tasks at the latest", longTasks),
      Check("the configured budget, and the configured distance of looks at the clock, have effect", configuredBudget),
      Check("foreign submissions, timers and IO while all workers are saturated", latenciesUnderLoad),
      Check("each sort of self-posting queue starves nothing of its worker", hogsOfEachSort),
      Check("what a thread queue has waits for a few budgets, not for one each", threadQueueBesideHog),
    ])
}

/// How many tasks of a queue run between a sibling's submission and the sibling's turn, both on one worker.
private func tasksBeforeSibling(
  _ context: CheckContext, taskLength: Duration, backlog: Int, pinned: Bool, nested: Bool,
  configure: (inout Configuration) -> Void = { _ in }
) throws -> Int {
  let dispatcher = try context.makeDispatcher(workers: 1, configure: configure)
  let root: any Queue = pinned ? dispatcher.threadQueues[0] : dispatcher.global()
  let parent = nested ? try dispatcher.makeSerialQueue(label: "parent", target: root) : nil
  let busy = try dispatcher.makeSerialQueue(label: "busy", target: parent ?? root)
  let sibling = try dispatcher.makeSerialQueue(label: "sibling", target: parent ?? root)
  let ran = Tally()
  let between = Tally(-1)
  let done = context.latch(backlog + 1)
  busy.suspend()
  for number in 0..<backlog {
    busy.async {
      if number == 5 {
        let before = ran.value
        sibling.async {
          between.set(ran.value - before)
          done.signal()
        }
      }
      spin(taskLength)
      ran.add()
      done.signal()
    }
  }
  busy.resume()
  try done.wait(for: "a backlog and a sibling")
  return between.value
}

private func siblingWithinBudget(_ context: CheckContext) throws {
  for (pinned, nested) in [(false, false), (true, false), (false, true), (true, true)] {
    // 250 µs are 25 tasks of 10 µs, and the clock is read at every 16th: 41 at most, and a little for the machine.
    let counts = try (0..<5).map { _ in
      try tasksBeforeSibling(context, taskLength: .microseconds(10), backlog: 2_000, pinned: pinned, nested: nested)
    }
    let best = counts.min() ?? -1
    context.expect(
      best >= 0 && best <= 64,
      "a queue ran \(best) tasks of 10 µs before its sibling's turn (pinned: \(pinned), nested: \(nested))")
    context.record("turns of a sibling in time", counts.count)
  }
}

private func longTasks(_ context: CheckContext) throws {
  for pinned in [false, true] {
    let counts = try (0..<3).map { _ in
      try tasksBeforeSibling(context, taskLength: .microseconds(400), backlog: 100, pinned: pinned, nested: false)
    }
    let best = counts.min() ?? -1
    context.expect(
      best >= 0 && best <= 17,
      "a queue ran \(best) tasks of 400 µs before the clock was looked at (pinned: \(pinned))")
    context.record("turns of a sibling among long tasks", counts.count)
  }
}

/// No time is measured: each task is longer than the short budget, and all together are shorter than the long one. So with
/// the short one every look at the clock sends the worker on, and with the long one none does.
private func configuredBudget(_ context: CheckContext) throws {
  let backlog = 200
  // The sibling is submitted by the sixth task.
  let left = backlog - 5
  for (pinned, nested) in [(false, false), (true, false), (false, true), (true, true)] {
    func count(budget: Duration, looks: Int) throws -> Int {
      try tasksBeforeSibling(
        context, taskLength: .microseconds(20), backlog: backlog, pinned: pinned, nested: nested
      ) {
        $0.queueBudget = budget
        $0.tasksBetweenClockChecks = looks
      }
    }
    let place = "(pinned: \(pinned), nested: \(nested))"
    var former = 0
    for looks in [1, 8, 64] {
      let ran = try count(budget: .nanoseconds(1), looks: looks)
      context.expect(
        ran <= looks, "with a look at the clock every \(looks) tasks, \(ran) ran before a sibling's turn \(place)")
      context.expect(
        ran > former, "with a look every \(looks) tasks, \(ran) ran; with more looks, \(former) did \(place)")
      former = looks
    }
    let unlooked = try count(budget: .nanoseconds(1), looks: 1_000_000)
    context.expect(
      unlooked == left, "without a look at the clock, \(unlooked) of \(left) tasks ran before a sibling's turn \(place)"
    )
    let unspent = try count(budget: .seconds(1_000), looks: 1)
    context.expect(
      unspent == left, "with a budget of 1,000 s, \(unspent) of \(left) tasks ran before a sibling's turn \(place)")
    context.record("configured turns", 5)
  }
}

/// Queues that post to themselves for ever, until told to stop.
final class Hogs: Sendable {
  private let isStopped = Tally()
  private let runs = Tally()
  var count: Int { runs.value }

  /// Begins posting on `queue`, a task after the other, each of `length`.
  func start(on queue: any Queue, taskLength length: Duration = .microseconds(5)) {
    guard isStopped.value == 0 else { return }
    queue.async { [self] in
      spin(length)
      runs.add()
      start(on: queue, taskLength: length)
    }
  }

  func stop() { isStopped.set(1) }
  var hasStopped: Bool { isStopped.value == 1 }
}

extension CheckContext {
  /// Hogs that end before the dispatchers do.
  func makeHogs() -> Hogs {
    let hogs = Hogs()
    atEnd { hogs.stop() }
    return hogs
  }
}

/// Where something is asked for, and how soon it must be served.
private struct Request {
  let context: CheckContext
  let dispatcher: Dispatcher
  let target: any Queue

  /// From a foreign thread's submission to the task's start.
  func submission() throws -> Duration {
    let began = Shared<Moment?>(nil)
    let start = Moment.now
    target.async { began.with { $0 = .now } }
    return try wait(for: began, "a foreign submission to '\(target.label)'") - start
  }

  /// From a timer's due time to its task's start.
  func timer() throws -> Duration {
    let began = Shared<Moment?>(nil)
    let start = Moment.now
    target.asyncAfter(.milliseconds(2)) { began.with { $0 = .now } }
    return try wait(for: began, "a timer on '\(target.label)'") - start - .milliseconds(2)
  }

  /// From the write that makes a descriptor ready to the handler's start.
  func readiness(_ pipe: Pipe, _ began: Shared<Moment?>) throws -> Duration {
    began.with { $0 = nil }
    let start = Moment.now
    pipe.write()
    return try wait(for: began, "a ready descriptor on '\(target.label)'") - start
  }

  private func wait(for moment: Shared<Moment?>, _ what: String) throws -> Moment {
    guard moment.wait(atMost: context.patience, until: { $0 != nil }), let result = moment.with({ $0 }) else {
      throw CheckFailure("\(what) was starved for \(context.patience.brief)")
    }
    return result
  }

  func expectAllPrompt(_ what: String) throws {
    let busy = dispatcher.threadQueues.count
    try context.expectPrompt("\(what): a foreign submission is served", busyThreads: busy) { _ in try submission() }
    try context.expectPrompt("\(what): a due timer is served", busyThreads: busy) { _ in try timer() }
    let pipe = try context.makePipe()
    let began = Shared<Moment?>(nil)
    let source = dispatcher.makeReadSource(pipe.readEnd, target: target) { _ in
      _ = pipe.drain()
      began.with { $0 = .now }
    }
    try source.activate()
    try context.expectPrompt("\(what): a ready descriptor is served", busyThreads: busy) { _ in
      try readiness(pipe, began)
    }
    let cancelled = context.latch()
    source.setCancelHandler { cancelled.signal() }
    source.cancel()
    try cancelled.wait(for: "the cancel handler under load")
  }
}

private func latenciesUnderLoad(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let hogs = context.makeHogs()
  for _ in 0..<3 { hogs.start(on: dispatcher.makeSerialQueue(label: "hog")) }
  for thread in dispatcher.threadQueues {
    hogs.start(on: try dispatcher.makeSerialQueue(label: "pinned hog", target: thread))
  }
  let targets: [any Queue] = [
    dispatcher.makeSerialQueue(label: "serial"), dispatcher.global(), dispatcher.threadQueues[1],
    try dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[0]),
  ]
  for target in targets {
    try Request(context: context, dispatcher: dispatcher, target: target).expectAllPrompt("on \(target.label)")
  }
}

private func hogsOfEachSort(_ context: CheckContext) throws {
  let sorts: [(name: String, make: (Dispatcher) throws -> (hog: any Queue, sibling: any Queue))] = [
    ("serial", { ($0.makeSerialQueue(label: "hog"), $0.makeSerialQueue(label: "sibling")) }),
    ("global", { ($0.global(), $0.makeSerialQueue(label: "sibling")) }),
    ("global high", { ($0.global(.high), $0.global(.low)) }),
    ("thread", { ($0.threadQueues[0], try $0.makeSerialQueue(label: "sibling", target: $0.threadQueues[0])) }),
    ("pinned", { (try $0.makeSerialQueue(label: "hog", target: $0.threadQueues[0]), $0.threadQueues[0]) }),
    (
      "nested",
      {
        let parent = $0.makeSerialQueue(label: "parent")
        return (
          try $0.makeSerialQueue(label: "hog", target: parent), try $0.makeSerialQueue(label: "sibling", target: parent)
        )
      }
    ),
  ]
  for sort in sorts {
    let dispatcher = try context.makeDispatcher(workers: 1)
    let hogs = context.makeHogs()
    let (hog, sibling) = try sort.make(dispatcher)
    hogs.start(on: hog)
    try Request(context: context, dispatcher: dispatcher, target: sibling).expectAllPrompt("beside a \(sort.name) hog")
    hogs.stop()
    context.expect(hogs.count > 0, "the hog itself was starved")
  }
}

/// An entry of the thread queue may be the handler of a single event: beside a queue that uses its whole budget each
/// time, they must not take turns one by one.
private func threadQueueBesideHog(_ context: CheckContext) throws {
  let entries = 200
  let counts = try (0..<5).map { _ in
    let dispatcher = try context.makeDispatcher(workers: 1)
    let hogs = context.makeHogs()
    hogs.start(on: dispatcher.makeSerialQueue(label: "hog"))
    let thread = dispatcher.threadQueues[0]
    let (first, last) = (Tally(), Tally())
    let done = context.latch(entries)
    thread.async {
      first.set(hogs.count)
      for _ in 0..<entries {
        thread.async {
          last.set(hogs.count)
          done.signal()
        }
      }
    }
    try done.wait(for: "\(entries) tasks of a thread queue beside a hog")
    hogs.stop()
    return last.value - first.value
  }
  // The hog runs 50 tasks of 5 µs in a budget, so 10,000 while 200 others wait for one budget each.
  let best = counts.min() ?? .max
  context.expect(best <= 1_000, "the hog ran \(best) tasks while \(entries) short tasks of the thread queue waited")
  context.record("turns beside a hog", counts.count)
}
