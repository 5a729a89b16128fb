import HawtDispatch

// S7, the part about what is dropped and released.

/// What state a source is in when its last reference goes.
private enum Circumstance: String, CaseIterable {
  case inactive = "never activated"
  case inactiveSuspended = "never activated and suspended"
  case active = "active and idle"
  case ready = "active and told all the time"
  case suspended = "suspended"
  case pending = "pending on a suspended queue"
  case cancelled = "cancelled before"
  case refused = "refused by the system"
  case running = "running its handler"
}

func droppingCancels(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for circumstance in Circumstance.allCases {
    for target in try bench.targets() {
      try drop(bench, circumstance, target)
      context.record("sources dropped")
    }
  }
}

private func drop(
  _ bench: Bench, _ circumstance: Circumstance, _ target: (name: String, queue: any Queue)
) throws {
  let context = bench.context
  let ends = try bench.ends()
  let cancels = context.recorder(of: Bool.self)
  let begun = context.latch()
  let gate = context.gate()
  let isReady = circumstance == .ready || circumstance == .pending || circumstance == .running
  // The reference that counts is in the box, where dropping it is visible.
  var source: ReadinessSource? = bench.dispatcher.makeReadinessSource(
    circumstance == .refused ? -1 : ends.near.number, interest: isReady ? .write : .read, target: target.queue
  ) { _ in
    begun.signal()
    if circumstance == .running { gate.pass() }
  }
  source?.setCancelHandler { cancels.append(target.queue.isExecuting) }
  weak let observed = source
  switch circumstance {
  case .inactive: break
  case .inactiveSuspended: source?.suspend()
  case .active: try source?.activate()
  case .ready, .running:
    try source?.activate()
    try begun.wait(for: "an event on \(target.name)")
  case .suspended:
    try source?.activate()
    source?.suspend()
    source?.suspend()
  case .pending:
    (target.queue as? SerialQueue)?.suspend()
    try source?.activate()
    try bench.settle()
  case .cancelled:
    try source?.activate()
    source?.cancel()
  case .refused: _ = thrown { try source?.activate() }
  }
  source = nil
  if circumstance == .running {
    context.expect(cancels.count == 0, "on \(target.name), the cancel handler ran while a handler was held")
    gate.open()
  }
  if circumstance == .pending { (target.queue as? SerialQueue)?.resume() }
  try cancels.wait(
    forCount: 1, of: "the cancel handler of a source that was dropped \(circumstance.rawValue) on \(target.name)")
  try bench.settle(target.queue)
  context.expect(
    cancels.all == [true], "dropped \(circumstance.rawValue) on \(target.name), the cancel handlers ran: \(cancels.all)"
  )
  try context.eventually(
    "a source that was dropped \(circumstance.rawValue) on \(target.name) is freed", { observed == nil })
}

func handlersAreReleased(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for target in try bench.targets() {
    for wasActive in [true, false] {
      let ends = try bench.ends()
      let released = context.latch(3)
      let cancelled = context.latch()
      let source = bench.dispatcher.makeReadSource(ends.near.number, target: target.queue)
      install(on: source, released: released, cancelled: cancelled, ends: ends)
      if wasActive { try source.activate() }
      try bench.settle(target.queue)
      context.expect(released.count == 3, "on \(target.name), a handler was released before its source was cancelled")
      source.cancel()
      try cancelled.wait(for: "the cancel handler on \(target.name)")
      // The source itself is still held here: it is the handlers that must go.
      try released.wait(for: "the release of three handlers after cancel on \(target.name)")
      withExtendedLifetime(source) {}
      context.record("handlers released", 3)
    }
    try selfCapture(bench, target)
  }
}

/// In a function of its own, so that no local keeps what the handlers capture.
private func install(on source: ReadinessSource, released: Latch, cancelled: Latch, ends: Ends) {
  let tokens = (0..<3).map { _ in Token { released.signal() } }
  source.setEventHandler { [token = tokens[0]] _ in token.touch() }
  source.setCancelHandler { [token = tokens[1]] in
    token.touch()
    cancelled.signal()
  }
  source.setErrorHandler { [token = tokens[2]] _ in token.touch() }
}

/// A handler that captures its own source is no leak once the source is cancelled.
private func selfCapture(_ bench: Bench, _ target: (name: String, queue: any Queue)) throws {
  let context = bench.context
  let ends = try bench.ends()
  let cancelled = context.latch()
  var source: ReadinessSource? = bench.dispatcher.makeReadSource(ends.near.number, target: target.queue)
  weak let observed = source
  if let source {
    source.setEventHandler { _ in
      ends.near.receiveAll()
      source.cancel()
    }
    source.setCancelHandler {
      if !source.isCancelled { context.fail("a cancel handler ran and isCancelled is false") }
      cancelled.signal()
    }
    try source.activate()
  }
  source = nil
  try bench.settle(target.queue)
  context.expect(observed != nil, "on \(target.name), a source was freed although its handler holds it")
  ends.far.send([1])
  try cancelled.wait(for: "a source whose handler cancels it on \(target.name)")
  try context.eventually("a source that its handlers captured is freed on \(target.name)", { observed == nil })
  context.record("sources that their handlers captured")
}
