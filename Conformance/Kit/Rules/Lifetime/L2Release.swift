import HawtDispatch

extension Rule {
  static let l2 = Rule(
    "L2", "releasing what was never activated, is suspended, or is cancelled is safe and frees it",
    why: "objects are dropped in every state when a connection dies young",
    whereToLook: ["deinit of each source's handle", "what a source's control block keeps"],
    checks: [
      Check("sources of each sort in each state", sourcesInEachState),
      Check("suspended queues with sources and timers", suspendedQueues),
      Check("a handler that captures its own source", selfCapture),
      Check("drops from within the own handler", dropInHandler),
      Check("queues that go while the tree around them is walked", queuesInAWalkedTree),
    ])
}

/// What is done to a source before its last reference goes.
private enum Fate: String, CaseIterable {
  case untouched = "never activated"
  case suspendedOnly = "suspended and never activated"
  case active, suspended
  case suspendedTwice = "suspended twice"
  case cancelled
  case suspendedAndCancelled = "suspended and cancelled"
  case cancelledUntouched = "cancelled and never activated"
}

/// What the sorts of sources have in common here.
private struct Life {
  let activate: () throws -> Void
  let suspend: () -> Void
  let cancel: () -> Void

  func meet(_ fate: Fate) throws {
    switch fate {
    case .untouched: break
    case .suspendedOnly: suspend()
    case .active: try activate()
    case .suspended:
      try activate()
      suspend()
    case .suspendedTwice:
      suspend()
      try activate()
      suspend()
    case .cancelled:
      try activate()
      cancel()
    case .suspendedAndCancelled:
      try activate()
      suspend()
      cancel()
    case .cancelledUntouched: cancel()
    }
  }
}

private func sourcesInEachState(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let targets: [any Queue] = [
    dispatcher.makeSerialQueue(label: "target"), dispatcher.threadQueues[1], dispatcher.global(),
  ]
  for fate in Fate.allCases {
    for target in targets {
      let freed = Tally()
      let cancelHandlers = Tally()
      try dropSources(context, dispatcher, target, fate, freed: freed, cancelHandlers: cancelHandlers)
      // Three sources, each with an event handler and a cancel handler that hold a token.
      try context.eventually("what sources hold that were \(fate.rawValue) is freed (\(freed.value) of 6)") {
        freed.value == 6
      }
      context.expect(
        cancelHandlers.value == 3, "\(fate.rawValue): \(cancelHandlers.value) of 3 cancel handlers had run by then")
      context.record("sources released", 3)
    }
  }
  try context.eventually("no registration is left") { dispatcher.metrics.allSatisfy { $0.registrations == 0 } }
}

/// Makes one source of each sort, leads it to its fate, and drops it.
private func dropSources(
  _ context: CheckContext, _ dispatcher: Dispatcher, _ target: any Queue, _ fate: Fate, freed: Tally,
  cancelHandlers: Tally
) throws {
  let pipe = try context.makePipe()
  let tokens = (0..<6).map { _ in Token { freed.add() } }
  let reading = dispatcher.makeReadSource(pipe.readEnd, target: target) { [token = tokens[0]] _ in token.touch() }
  reading.setCancelHandler { [token = tokens[1]] in
    token.touch()
    cancelHandlers.add()
  }
  try Life(activate: reading.activate, suspend: reading.suspend, cancel: reading.cancel).meet(fate)

  let timer = dispatcher.makeTimerSource(target: target) { [token = tokens[2]] _ in token.touch() }
  timer.schedule(after: .milliseconds(1), repeating: .milliseconds(1))
  timer.setCancelHandler { [token = tokens[3]] in
    token.touch()
    cancelHandlers.add()
  }
  try Life(activate: timer.activate, suspend: timer.suspend, cancel: timer.cancel).meet(fate)

  let merging = dispatcher.makeMergingSource(.list, target: target) { [token = tokens[4]] (_: [Int]) in token.touch() }
  merging.setCancelHandler { [token = tokens[5]] _ in
    token.touch()
    cancelHandlers.add()
  }
  merging.merge(1)
  try Life(activate: merging.activate, suspend: merging.suspend, cancel: merging.cancel).meet(fate)
}

private func suspendedQueues(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for round in 0..<context.scaled(60, minimum: 6) {
    let freed = Tally()
    do {
      let pipe = try context.makePipe()
      let parent = dispatcher.makeSerialQueue(label: "parent")
      let queue = try dispatcher.makeSerialQueue(label: "suspended", target: parent)
      let tokens = (0..<4).map { _ in Token { freed.add() } }
      (round % 2 == 0 ? queue : parent).suspend()
      queue.async { [token = tokens[0]] in token.touch() }
      queue.asyncAfter(.milliseconds(1)) { [token = tokens[1]] in token.touch() }
      let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { [token = tokens[2]] _ in token.touch() }
      source.setCancelHandler { [token = tokens[3]] in token.touch() }
      try source.activate()
      pipe.write()
    }
    try context.eventually("what a dropped, suspended queue owed is done and freed (\(freed.value) of 4)") {
      freed.value == 4
    }
    context.record("suspended queues released")
  }
}

private func selfCapture(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let freed = Tally()
  let rounds = 20
  for _ in 0..<rounds {
    let pipe = try context.makePipe()
    let token = Token { freed.add() }
    let source = dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.makeSerialQueue())
    source.setEventHandler { _ in
      token.touch()
      source.cancel()
    }
    source.setCancelHandler { _ = source.descriptor }
    try source.activate()
    pipe.write()
  }
  try context.eventually("sources whose handlers captured them are freed after the cancel (\(freed.value))") {
    freed.value == rounds
  }
  context.record("cycles through a handler broken by cancel", rounds)
}

private func dropInHandler(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let freed = Tally()
  let rounds = context.scaled(100, minimum: 10)
  for _ in 0..<rounds {
    let pipe = try context.makePipe()
    let token = Token { freed.add() }
    let box = Shared<(source: ReadinessSource, queue: SerialQueue)?>(nil)
    let queue = dispatcher.makeSerialQueue()
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      token.touch()
      // The last references to the source and to the queue that runs this very handler.
      box.with { $0 = nil }
    }
    try source.activate()
    box.with { $0 = (source, queue) }
    pipe.write()
  }
  try context.eventually("sources dropped in their own handler are freed (\(freed.value))") { freed.value == rounds }
  context.record("drops in the own handler", rounds)
}

/// A queue may go at any moment of a retarget that walks over it and over its neighbours.
private func queuesInAWalkedTree(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let parent = dispatcher.makeSerialQueue(label: "parent")
  let threads = dispatcher.threadQueues
  let rounds = context.scaled(30_000, minimum: 3_000)
  let made = Tally()
  let ran = Tally()
  let maker = Thread {
    for _ in 0..<rounds {
      // Gone as soon as its task has run, on whatever worker.
      let queue = try? dispatcher.makeSerialQueue(label: "short-lived", target: parent)
      queue?.async { ran.add() }
      made.add()
    }
  }
  var retargets = 0
  while made.value < rounds {
    try parent.setTarget(retargets % 4 == 3 ? dispatcher.global() : threads[retargets % 4])
    retargets += 1
  }
  maker.join()
  try context.drain(parent)
  context.expect(ran.value == rounds, "\(ran.value) of \(rounds) tasks of queues that were dropped ran")
  context.record("queues gone", ran.value)
  context.record("retargets meanwhile", retargets)
}
