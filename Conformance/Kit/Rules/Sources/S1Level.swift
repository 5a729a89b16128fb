import HawtDispatch

extension Rule {
  /// S1: readiness is a level.
  static let s1 = Rule(
    "S1", "Level-triggered: readiness left undrained fires again; drained does not.",
    why:
      "A handler may stop early, and migration loses nothing, only because the level says it again; an event without "
      + "readiness makes a careful handler do a useless system call and a careless one block.",
    whereToLook: ["Sources/HawtDispatch/Sources", "Sources/Polling (interest, stamps)"],
    checks: [
      Check("bytes left unread are told again, to every kind of target", bytesLeftUnread),
      Check("room left unused is told again", roomLeftUnused),
      Check("what arrives while the handler ends is not lost", arrivalDuringHandler),
      Check("a level that is reported while its handler is held is told again", reportedWhileHeld),
      Check(
        "a level that is reported while its queue is suspended is told until it is drained", reportedWhileSuspended),
      Check("random reads: every event has bytes, every byte is read", randomReads),
    ])
}

private func bytesLeftUnread(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    let received = context.recorder(of: Received.self)
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in received.append(ends.near.receive(1)) }
    ends.far.send([1, 2, 3])
    try received.wait(forCount: 3, of: "the bytes on \(target.name), one an event")
    try bench.settle(target.queue)
    context.expect(
      received.all == [.bytes([1]), .bytes([2]), .bytes([3])],
      "on \(target.name), one event a byte was due and then none; seen: \(received.all)")
    context.expect(
      source.deliveries == 3, "on \(target.name), 3 events came and deliveries says \(source.deliveries)")
    ends.far.send([4])
    try received.wait(forCount: 4, of: "a byte after the drained ones on \(target.name)")
    try bench.settle(target.queue)
    context.expect(received.count == 4, "on \(target.name), a drained byte was told again")
    context.record("events", received.count)
    try bench.cancelAndWait(source)
  }
}

private func roomLeftUnused(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    ends.near.fill()
    let enough = context.latch(5)
    let source = bench.source(ends.near, .write, on: target.queue)
    // The source is not captured by its name: a handler reaches it through the event.
    source.setEventHandler { event in
      if enough.count == 1 { event.suspend() }
      enough.signal()
    }
    try source.activate()
    try bench.settle(target.queue)
    context.expect(source.deliveries == 0, "on \(target.name), a full socket was told to be writable")
    ends.far.receiveAll()
    try enough.wait(for: "room that nobody uses to be told again and again on \(target.name)")
    try bench.settle(target.queue)
    context.expect(
      source.deliveries == 5, "on \(target.name), \(source.deliveries) events came, the last 5th suspended")
    ends.near.fill()
    source.resume()
    try bench.settle(target.queue)
    context.expect(source.deliveries == 5, "on \(target.name), a socket that was filled again was told to be writable")
    context.record("events", source.deliveries)
    try bench.cancelAndWait(source)
  }
}

private func arrivalDuringHandler(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for target in try bench.targets() {
    let ends = try bench.ends()
    let received = context.recorder(of: Received.self)
    let gates = [context.gate(), context.gate()]
    let turn = Tally()
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in
      received.append(ends.near.receive())
      let number = turn.add()
      if number <= gates.count { gates[number - 1].pass() }
    }
    for (index, gate) in gates.enumerated() {
      // The next byte comes when the handler has drained the one before and has not returned.
      ends.far.send([UInt8(index)])
      if index > 0 { gates[index - 1].open() }
      try gate.waitForArrivals()
    }
    ends.far.send([UInt8(gates.count)])
    gates[gates.count - 1].open()
    try received.wait(forCount: gates.count + 1, of: "a byte that came while the handler ended on \(target.name)")
    try bench.settle(target.queue)
    context.expect(
      received.all == (0...gates.count).map { .bytes([UInt8($0)]) },
      "on \(target.name), bytes that came while the handler ran were seen as \(received.all)")
    context.record("arrivals during a handler", gates.count)
    try bench.cancelAndWait(source)
  }
}

/// The poller sees the level again while the handler runs, and must come back to it when the handler has ended.
private func reportedWhileHeld(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for target in try bench.targets() {
    let ends = try bench.ends()
    let gate = context.gate()
    let place = context.recorder(of: Int.self)
    let received = context.recorder(of: Received.self)
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in
      place.append(Dispatcher.currentThreadQueue?.worker ?? -1)
      if place.count == 1 { gate.pass() }
      received.append(ends.near.receive(1))
    }
    for round in 0..<3 {
      ends.far.send([UInt8(2 * round), UInt8(2 * round + 1)])
      if round == 0 {
        try gate.waitForArrivals()
        // All other workers look at their pollers, and then, as the first is stuck by now, at that one's.
        for _ in 0..<5 {
          try bench.settle(except: place.all[0])
          context.pause(.milliseconds(2))
        }
        context.expect(received.count == 0 && place.count == 1, "on \(target.name), a second handler began")
        gate.open()
      }
      try received.wait(forCount: 2 * round + 2, of: "both bytes of round \(round) on \(target.name)")
    }
    try bench.settle(target.queue)
    context.expect(
      received.all == (0..<6).map { .bytes([UInt8($0)]) }, "on \(target.name), the bytes were seen as \(received.all)")
    context.record("levels reported while a handler was held")
    try bench.cancelAndWait(source)
  }
}

/// The event waits in its queue, and the poller must not be kept awake by the level: it stops looking. It has to look
/// again once the handler has run, which drains only half.
private func reportedWhileSuspended(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    guard let queue = target.queue as? SerialQueue else { continue }
    let ends = try bench.ends()
    let received = context.recorder(of: Received.self)
    let source = try bench.activeSource(ends.near, on: queue) { _ in received.append(ends.near.receive(1)) }
    for round in 0..<3 {
      queue.suspend()
      ends.far.send([UInt8(2 * round), UInt8(2 * round + 1)])
      try bench.settle()
      bench.expectCalm("a level whose event waits on \(target.name), suspended")
      queue.resume()
      try received.wait(forCount: 2 * round + 2, of: "both bytes of round \(round) on \(target.name)")
    }
    try bench.settle(queue)
    context.expect(
      received.all == (0..<6).map { .bytes([UInt8($0)]) }, "on \(target.name), the bytes were seen as \(received.all)")
    context.record("levels reported while a queue was suspended", 3)
    try bench.cancelAndWait(source)
  }
}

private func randomReads(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let bytesPerSource = context.scaled(20_000, minimum: 500)
  var pieces: [(ends: Ends, read: Tally, done: Latch)] = []
  for target in try bench.targets() {
    let ends = try bench.ends(.tcp)
    let read = Tally()
    let done = context.latch()
    let random = Shared(context.random(pieces.count))
    try bench.activeSource(ends.near, on: target.queue) { _ in
      let limit = random.with { 1 + $0.below(200) }
      switch ends.near.receive(limit) {
      case .bytes(let bytes): if read.add(bytes.count) >= bytesPerSource { done.signal() }
      case let other: context.fail("on \(target.name), an event came with \(other) instead of bytes")
      }
    }
    pieces.append((ends, read, done))
  }
  let all = pieces
  try context.onThreads(all.count) { index, random in
    var left = bytesPerSource
    while left > 0 {
      let sent = all[index].ends.far.send(count: min(left, 1 + random.below(500)))
      if sent > 0 { left -= sent } else { context.pause(.milliseconds(1)) }
    }
  }
  for piece in all {
    try piece.done.wait(for: "all bytes to be read")
    context.record("bytes", piece.read.value)
  }
  try bench.settle()
}
