import HawtDispatch

extension Rule {
  static let q9 = Rule(
    "Q9", "priorities share saturated workers about 8 : 4 : 1, and each progresses; no boost",
    level: .stochastic,
    why: "a low priority is to be slow, not dead; a hidden boost makes latency unpredictable",
    whereToLook: ["the weights of the run queues", QueueFiles.global],
    checks: [
      Check("serial queues of each priority") { try shares($0, Saturation(.serial)) },
      Check("global queues themselves") { try shares($0, Saturation(.global)) },
      Check("nested queues run with their root's priority") { try shares($0, Saturation(.nested)) },
      Check("no boost from a submitter of high priority") { try shares($0, Saturation(.fedByHigh)) },
      Check("other weights, if the configuration says so") {
        try shares($0, Saturation(.serial), PriorityWeights(high: 1, default: 1, low: 1))
        try shares($0, Saturation(.global), PriorityWeights(high: 1, default: 3, low: 12))
      },
      Check("each progresses among tasks that take milliseconds", longTasks),
      Check("a retarget changes the share", retargetChangesShare),
    ])
}

/// How the workers are kept saturated, per priority.
private struct Saturation {
  enum Sort { case serial, global, nested, fedByHigh }
  let sort: Sort
  init(_ sort: Sort) { self.sort = sort }

  func start(_ hogs: Hogs, priority: Priority, on dispatcher: Dispatcher) throws {
    let length = Duration.microseconds(20)
    for _ in 0..<4 {
      switch sort {
      case .serial:
        hogs.start(on: try dispatcher.makeSerialQueue(target: dispatcher.global(priority)), taskLength: length)
      case .global:
        hogs.start(on: dispatcher.global(priority), taskLength: length)
      case .nested:
        let parent = try dispatcher.makeSerialQueue(target: dispatcher.global(priority))
        let child = try dispatcher.makeSerialQueue(target: parent)
        hogs.start(on: child, taskLength: length)
      case .fedByHigh:
        let queue = try dispatcher.makeSerialQueue(target: dispatcher.global(priority))
        hogs.start(on: queue, taskLength: length)
        let feeder = try dispatcher.makeSerialQueue(target: dispatcher.global(.high))
        // Someone of high priority keeps asking for work on it; that is no reason to run it sooner.
        hogs.feed(from: feeder, into: queue)
      }
    }
  }
}

extension Hogs {
  /// Submits nothing much to `queue` from `feeder`, for ever.
  fileprivate func feed(from feeder: SerialQueue, into queue: SerialQueue) {
    feeder.asyncAfter(.milliseconds(1)) { [self] in
      queue.async {}
      if !hasStopped { feed(from: feeder, into: queue) }
    }
  }
}

/// Counts what each priority gets done while the workers are saturated: over a longer and longer while, as the machine
/// may have been taken from one of them for some of it.
private func shares(
  _ context: CheckContext, _ saturation: Saturation, _ weights: PriorityWeights = PriorityWeights()
) throws {
  let dispatcher = try context.makeDispatcher(workers: 2) { $0.priorityWeights = weights }
  let wanted = (
    high: Double(weights.high) / Double(weights.default), low: Double(weights.default) / Double(weights.low)
  )
  let hogs = Priority.allCases.map { _ in context.makeHogs() }
  let gates = try dispatcher.threadQueues.map { try context.hold($0) }
  for priority in Priority.allCases {
    try saturation.start(hogs[priority.rawValue], priority: priority, on: dispatcher)
  }
  for gate in gates { gate.open() }
  defer { for hog in hogs { hog.stop() } }
  var last = ""
  for round in 0..<5 {
    let enough = context.scaled(5_000, minimum: 2_000) << round
    try context.eventually("\(enough) tasks have run") { hogs.reduce(0) { $0 + $1.count } >= enough }
    let counts = hogs.map(\.count)
    let (high, normal, low) = (Double(counts[0]), Double(counts[1]), Double(counts[2]))
    last = "\(counts[0]) : \(counts[1]) : \(counts[2])"
    context.expect(counts.allSatisfy { $0 > 0 }, "a priority made no progress: \(last)")
    let (first, second) = (high / normal / wanted.high, normal / low / wanted.low)
    if first > 0.7 && first < 1.45 && second > 0.65 && second < 1.5 {
      return context.record("tasks shared as \(last)", counts.reduce(0, +))
    }
  }
  context.fail(
    "the priorities shared the workers \(last), instead of about \(weights.high) : \(weights.default) : \(weights.low)")
}

/// A worker's turn of one priority is sixteen tasks at most: of long ones it exceeds every credit.
private func longTasks(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let hogs = Priority.allCases.map { _ in context.makeHogs() }
  let gate = try context.hold(dispatcher.threadQueues[0])
  for priority in Priority.allCases {
    for _ in 0..<4 { hogs[priority.rawValue].start(on: dispatcher.global(priority), taskLength: .milliseconds(3)) }
  }
  gate.open()
  defer { for hog in hogs { hog.stop() } }
  try context.eventually("each priority has progressed twice") { hogs.allSatisfy { $0.count > 32 } }
  context.record("long tasks shared as \(hogs.map { "\($0.count)" }.joined(separator: " : "))")
}

private func retargetChangesShare(_ context: CheckContext) throws {
  var last = ""
  for _ in 0..<4 {
    let dispatcher = try context.makeDispatcher(workers: 1)
    let rivals = context.makeHogs()
    let moved = context.makeHogs()
    let queue = try dispatcher.makeSerialQueue(label: "moved", target: dispatcher.global(.low))
    rivals.start(on: try dispatcher.makeSerialQueue(target: dispatcher.global(.default)), taskLength: .microseconds(20))
    moved.start(on: queue, taskLength: .microseconds(20))
    let window = context.scaled(2_000, minimum: 800)
    func share() throws -> Double {
      let (rivalsBefore, movedBefore) = (rivals.count, moved.count)
      try context.eventually("\(window) tasks have run") {
        rivals.count + moved.count - rivalsBefore - movedBefore >= window
      }
      return Double(moved.count - movedBefore) / Double(max(1, rivals.count - rivalsBefore))
    }
    let low = try share()
    try queue.setTarget(dispatcher.global(.high))
    let high = try share()
    rivals.stop()
    moved.stop()
    last = "\(Int(low * 100)) % of a default queue's share at low, \(Int(high * 100)) % at high"
    if low < 0.45 && high > 1.3 {
      context.record("retargets between priorities: \(last)")
      return
    }
  }
  context.fail("a queue got \(last)")
}
