import HawtDispatch

// S7, the part about every state: operations on one source, in all orders of a small length in step with a model that
// says what must be seen after each, and at random from several threads, where only the invariants can be said.

private enum Operation: Character, CaseIterable, Sendable {
  case activate = "A"
  case suspend = "S"
  case resume = "R"
  case retarget = "T"
  case cancel = "C"
  case drop = "D"
  case write = "W"
}

/// What a source is allowed to do: the obvious, single-threaded idea of it.
private struct Model {
  var isActive = false
  var suspensions = 0
  var isCancelled = false
  var isDropped = false
  var target = 0
  /// Bytes that wait in the socket.
  var waiting = 0
  /// What the handlers saw: for each event, where it ran and how many bytes it found.
  var events: [Seen] = []

  func allows(_ operation: Operation) -> Bool {
    switch operation {
    case .write: true
    // Without a suspension it would trap, rightly.
    case .resume: !isDropped && suspensions > 0
    default: !isDropped
    }
  }

  /// Returns whether the operation is to throw.
  mutating func apply(_ operation: Operation) -> Bool {
    var isRefused = false
    switch operation {
    // Activating twice has no effect, cancelled meanwhile or not.
    case .activate: if isActive { break } else if isCancelled { isRefused = true } else { isActive = true }
    case .suspend: suspensions += 1
    case .resume: suspensions -= 1
    case .retarget: if !isCancelled { target = 1 - target }
    case .cancel, .drop: if !isCancelled { end() }
    case .write: waiting += 1
    }
    if operation == .drop { isDropped = true }
    if isActive && !isCancelled && suspensions == 0 && waiting > 0 {
      events.append(Seen(what: .event(bytes: waiting), target: target))
      waiting = 0
    }
    return isRefused
  }

  private mutating func end() {
    isCancelled = true
    events.append(Seen(what: .cancelled, target: target))
  }
}

/// One handler's run.
private struct Seen: Sendable, Hashable, CustomStringConvertible {
  enum What: Sendable, Hashable {
    case event(bytes: Int)
    case cancelled
  }
  let what: What
  /// Which of the two targets it ran on.
  let target: Int

  var description: String { "\(what) on target \(target)" }
}

func shortOrders(_ context: CheckContext) throws {
  let bench = try context.bench()
  // From an unpinned queue to a pinned one and back: both the queue and the poller change.
  let targets: [any Queue] = [
    bench.dispatcher.makeSerialQueue(label: "target 0"), bench.dispatcher.threadQueues[1],
  ]
  let length = context.scaled(4, minimum: 3)
  var orders: [[Operation]] = [[]]
  for _ in 0..<length {
    orders = orders.flatMap { order in Operation.allCases.map { order + [$0] } }
  }
  for order in orders {
    guard isMeaningful(order) else { continue }
    try run(order, bench, targets)
    if context.hasFailed { return }
    context.record("orders of \(length) operations")
  }
}

/// Leaves out what the model forbids, and what writes twice in a row: that is one write of two bytes.
private func isMeaningful(_ order: [Operation]) -> Bool {
  var model = Model()
  for (index, operation) in order.enumerated() {
    guard model.allows(operation) else { return false }
    if operation == .write, index > 0, order[index - 1] == .write { return false }
    _ = model.apply(operation)
  }
  return true
}

private func run(_ order: [Operation], _ bench: Bench, _ targets: [any Queue]) throws {
  let context = bench.context
  let ends = try bench.ends()
  defer { bench.forget(ends) }
  let seen = context.recorder(of: Seen.self)
  var source: ReadinessSource? = bench.dispatcher.makeReadSource(ends.near.number, target: targets[0]) { _ in
    seen.append(Seen(what: .event(bytes: ends.near.receiveAll().count), target: targets[0].isExecuting ? 0 : 1))
  }
  source?.setCancelHandler { seen.append(Seen(what: .cancelled, target: targets[0].isExecuting ? 0 : 1)) }
  var model = Model()
  let name = String(order.map(\.rawValue))
  // The end of each order is the source's: everything that it owes must come then.
  for (index, operation) in (order + [.drop, .write]).enumerated() where model.allows(operation) {
    let isRefused = model.apply(operation)
    var error: (any Error)?
    switch operation {
    case .activate: error = thrown { try source?.activate() }
    case .suspend: source?.suspend()
    case .resume: source?.resume()
    case .retarget: if !model.isCancelled { try source?.setTarget(targets[model.target]) }
    case .cancel: source?.cancel()
    case .drop: source = nil
    case .write: ends.far.send([1])
    }
    context.expect(
      (error != nil) == isRefused, "\(name), step \(index): threw \(error.map { "\($0)" } ?? "nothing")")
    if model.events.count > seen.count { try seen.wait(forCount: model.events.count, of: "\(name), step \(index)") }
    try bench.settle(targets[0], targets[1])
    context.expect(
      seen.all == model.events, "\(name), step \(index): saw \(seen.all); the model allows \(model.events)")
  }
}

func randomOperations(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets().map(\.queue)
  for round in 0..<context.scaled(200, minimum: 20) {
    let ends = try bench.ends()
    let occupancy = Occupancy()
    let hasEnded = Tally()
    let cancels = Tally()
    let source = bench.dispatcher.makeReadinessSource(
      ends.near.number, interest: round % 2 == 0 ? .read : .write, target: targets[round % targets.count]
    ) { _ in
      occupancy.during {
        if hasEnded.value != 0 { context.fail("a handler began after the cancel handler") }
        ends.near.receiveAll()
      }
    }
    source.setCancelHandler {
      if occupancy.present != 0 { context.fail("the cancel handler ran beside a handler") }
      hasEnded.set(1)
      cancels.add()
    }
    let isOver = Tally()
    try context.onThreads(3) { index, random in
      for _ in 0..<30 {
        switch random.below(6) {
        case 0:
          // Cancelled by another thread meanwhile: then it throws, and may.
          _ = thrown { try source.activate() }
        case 1:
          source.suspend()
          if random.oneIn(2) { ends.far.send([1]) }
          source.resume()
        case 2: _ = thrown { try source.setTarget(random.pick(targets)) }
        case 3, 4: ends.far.send([1])
        default:
          if index == 0 && random.oneIn(8) || isOver.value == 1 {
            isOver.set(1)
            source.cancel()
          }
        }
      }
    }
    source.cancel()
    try context.eventually("the cancel handler runs", { cancels.value > 0 })
    for queue in targets { try context.drain(queue) }
    context.expect(cancels.value == 1, "\(cancels.value) cancel handlers ran")
    context.expect(occupancy.maximum <= 1, "\(occupancy.maximum) handlers were in flight at once")
    context.expect(source.registeredWorker == nil, "a cancelled source says that it is registered")
    context.record("rounds of random operations")
    bench.forget(ends)
  }
  context.record("directions still armed for the probes", bench.armedDirections + 1)
}
