import HawtDispatch

extension Rule {
  static let m6 = Rule(
    "M6", "readiness before, during or after a migration is never lost, doubled or stale",
    why: "a lost event hangs a connection; a stale one reads a descriptor that has nothing",
    whereToLook: [MigrationFiles.source, "the wait's number that a completion stamps", "arming after a migration"],
    checks: [
      Check("a byte that races a migration is handled", byteRacesMigration),
      Check("a stream under a migration storm", streamInAStorm),
      Check("a drained state is not reported again after a move", drainedIsNotReported),
      Check("drained on one worker while another polls", drainedWhileAnotherPolls),
      Check("a report that was on its way while the handler drained is dropped", reportHeldBack),
      Check("readiness that is left undrained is told at the new place", undrainedIsReported),
      Check("a writable descriptor follows too", writableFollows),
    ])
}

/// A reading source that counts bytes, handlers at once, and handlers that found nothing.
private final class Reader: Sendable {
  let pipe: Pipe
  let source: ReadinessSource
  let bytes = Tally()
  let empty = Tally()
  let inside = OverlapDetector()

  init(_ context: CheckContext, _ dispatcher: Dispatcher, on queue: SerialQueue) throws {
    let pipe = try context.makePipe()
    let (bytes, empty, inside) = (bytes, empty, inside)
    source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      inside.enter()
      let count = pipe.drain()
      if count == 0 { empty.add() }
      bytes.add(count)
      inside.leave()
    }
    self.pipe = pipe
    try source.activate()
  }

  func judge(_ context: CheckContext, written: Int) throws {
    try context.eventually("all \(written) bytes are handled") { bytes.value >= written }
    context.expect(bytes.value == written, "\(written) bytes were written, \(bytes.value) handled")
    context.expect(empty.value == 0, "\(empty.value) of \(source.deliveries) handlers found the descriptor drained")
    context.expect(inside.count == 0, "two handlers of one source ran at once")
    context.record("bytes across migrations", written)
  }
}

private func byteRacesMigration(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let targets: [any Queue] = dispatcher.threadQueues + [dispatcher.global()]
  let queue = try dispatcher.makeSerialQueue(label: "races", target: dispatcher.threadQueues[0])
  let reader = try Reader(context, dispatcher, on: queue)
  let rounds = context.scaled(1_500, minimum: 100)
  let round = Shared(0)
  let written = Tally()
  try context.onThreads(2) { index, random in
    for number in 1...rounds {
      // Both wait for each other, then go at once.
      if index == 0 {
        round.with { $0 = number }
        spin(.nanoseconds(random.below(6_000)))
        written.add(reader.pipe.write())
        // One byte at a time: a loss cannot hide behind the next one.
        guard reader.bytesReach(number, context) else {
          throw CheckFailure("the byte of round \(number), written during a migration, was never handled")
        }
      } else {
        try context.require(round.wait(atMost: context.patience) { $0 >= number }, "the other thread gave up")
        spin(.nanoseconds(random.below(6_000)))
        try queue.setTarget(random.pick(targets))
      }
    }
  }
  try reader.judge(context, written: written.value)
  reader.source.cancel()
}

extension Reader {
  /// Waits until so many bytes were handled.
  fileprivate func bytesReach(_ count: Int, _ context: CheckContext) -> Bool {
    let start = Moment.now
    while bytes.value < count {
      if start.elapsed > context.patience { return false }
      spin(.microseconds(2))
      if start.elapsed > .milliseconds(1) { context.pause(.microseconds(200)) }
    }
    return true
  }
}

private func streamInAStorm(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let targets: [any Queue] = dispatcher.threadQueues + [dispatcher.global(.high), dispatcher.makeSerialQueue()]
  let parents = try (0..<4).map {
    try dispatcher.makeSerialQueue(label: "parent \($0)", target: dispatcher.threadQueues[$0 % 3])
  }
  let readers = try parents.map { parent in
    try Reader(context, dispatcher, on: dispatcher.makeSerialQueue(label: "reader", target: parent))
  }
  let rounds = context.scaled(4_000, minimum: 200)
  let written = readers.map { _ in Tally() }
  try context.onThreads(4) { index, random in
    for _ in 0..<rounds {
      let chosen = random.below(readers.count)
      if index < 2 {
        written[chosen].add(readers[chosen].pipe.write(1 + random.below(100)))
      } else {
        try parents[chosen].setTarget(random.pick(targets))
      }
      spin(.nanoseconds(random.below(4_000)))
    }
  }
  for (reader, count) in zip(readers, written) {
    try reader.judge(context, written: count.value)
    reader.source.cancel()
  }
}

private func drainedIsNotReported(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let queue = try dispatcher.makeSerialQueue(label: "drained", target: dispatcher.threadQueues[0])
  let reader = try Reader(context, dispatcher, on: queue)
  let rounds = context.scaled(200, minimum: 20)
  for round in 1...rounds {
    // Half of the time the move is under way while the handler drains, half of the time it comes after.
    if round % 2 == 0 {
      reader.pipe.write()
      try context.move(queue, to: dispatcher.threadQueues[(round / 2) % 2])
    } else {
      reader.pipe.write()
      try context.require(reader.bytesReach(round, context), "byte \(round) was never handled")
      try context.move(queue, to: dispatcher.threadQueues[round % 2])
    }
    try context.require(reader.bytesReach(round, context), "byte \(round) was never handled after a move")
    try context.settle(dispatcher)
    context.expect(reader.source.deliveries <= round, "\(round) bytes were reported \(reader.source.deliveries) times")
  }
  try reader.judge(context, written: rounds)
  reader.source.cancel()
}

/// The handler of an unpinned queue drains on whatever worker, while its home's poller, which never sleeps here, may have
/// just been told of what is being drained: that report is stale, and must not become an event.
private func drainedWhileAnotherPolls(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let noise = try dispatcher.threadQueues.map { thread in
    let pipe = try context.makePipe()
    let source = dispatcher.makeWriteSource(pipe.writeEnd, target: thread) { _ in }
    try source.activate()
    return source
  }
  let readers = try (0..<4).map { number in
    try Reader(context, dispatcher, on: dispatcher.makeSerialQueue(label: "reader \(number)"))
  }
  let rounds = context.scaled(1_000, minimum: 100)
  for round in 1...rounds {
    for reader in readers { reader.pipe.write() }
    for reader in readers {
      try context.require(reader.bytesReach(round, context), "byte \(round) was never handled beside a busy poller")
    }
  }
  for reader in readers {
    try reader.judge(context, written: rounds)
    reader.source.cancel()
  }
  for source in noise { source.cancel() }
}

private func undrainedIsReported(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let threads = try WorkerThreads(dispatcher, context)
  for stuck in [false, true] {
    let queue = try dispatcher.makeSerialQueue(label: "undrained", target: dispatcher.threadQueues[0])
    let pipe = try context.makePipe()
    let places = context.recorder(of: Int?.self)
    let gate = context.gate()
    let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
      places.append(threads.current)
      // The first handler leaves it undrained; stuck, it is on its way while the queue moves.
      if places.count == 1 {
        if stuck { gate.pass() } else { try? queue.setTarget(dispatcher.threadQueues[1]) }
      } else {
        _ = pipe.drain()
      }
    }
    try source.activate()
    pipe.write()
    if stuck {
      try gate.waitForArrivals()
      try queue.setTarget(dispatcher.threadQueues[1])
      context.pause(.milliseconds(5))
      context.expect(places.count == 1, "a second handler began while the first was running")
      gate.open()
    }
    let seen = try places.wait(forCount: 2, of: "the handler at the new place")
    context.expect(seen.prefix(2) == [0, 1], "handled on workers \(seen), not on 0, then 1")
    source.cancel()
    context.record("undrained readiness told at the new place")
  }
}

private func writableFollows(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let queue = try dispatcher.makeSerialQueue(label: "writes", target: dispatcher.threadQueues[0])
  let pipe = try context.makePipe()
  let inside = OverlapDetector()
  let source = dispatcher.makeWriteSource(pipe.writeEnd, target: queue) { _ in
    inside.enter()
    _ = pipe.write(100)
    inside.leave()
  }
  try source.activate()
  let moves = context.scaled(200, minimum: 20)
  for number in 0..<moves {
    _ = pipe.drain()
    try context.move(queue, to: dispatcher.threadQueues[number % 2])
    let before = source.deliveries
    _ = pipe.drain()
    try context.eventually("a writable descriptor is told after move \(number)") { source.deliveries > before }
  }
  context.expect(inside.count == 0, "two handlers of one source ran at once")
  source.cancel()
  context.record("moves of a writing source", moves)
}
