import HawtDispatch

extension Rule {
  /// S4: sources on one descriptor do not notice each other.
  static let s4 = Rule(
    "S4",
    "Any number of sources on one descriptor: each is told, suspends, resumes and cancels alone; one that is suspended "
      + "or pending costs no CPU, hang-ups and errors included.",
    why:
      "A connection's reader and writer belong to different queues, often to different threads; back-pressure suspends "
      + "one of them for long, and the kernel reports a hang-up whatever was asked.",
    whereToLook: ["Sources/HawtDispatch/Sources (slots)", "Sources/Polling (union of interests)"],
    checks: [
      Check("a reader and a writer are each told of their own direction", readerAndWriter),
      Check("many readers of one descriptor are all told", manyReaders),
      Check("one suspends and resumes, the other goes on", oneSuspends),
      Check("one is cancelled, the other goes on", oneIsCancelled),
      Check("one that is idle costs the other no CPU", idleOneCostsNothing),
      Check("sources of one descriptor come and go from many threads", comingAndGoing),
    ])
}

private func readerAndWriter(_ context: CheckContext) throws {
  let bench = try context.bench()
  for (reading, writing) in try bench.pairsOfTargets() {
    let ends = try bench.ends(.tcp)
    ends.near.fill()
    let read = context.recorder(of: Interest.self)
    let written = context.recorder(of: Interest.self)
    let reader = try bench.activeSource(ends.near, .read, on: reading.queue) { event in
      read.append(event.readiness)
      ends.near.receiveAll()
    }
    let writer = try bench.activeSource(ends.near, .write, on: writing.queue) { event in
      written.append(event.readiness)
      ends.near.fill()
    }
    try bench.settle(reading.queue, writing.queue)
    context.expect(read.count == 0 && written.count == 0, "sources were told of what was not ready")
    ends.far.send([1])
    try read.wait(forCount: 1, of: "the reader's event on \(reading.name)")
    try bench.settle(reading.queue, writing.queue)
    context.expect(written.count == 0, "the writer on \(writing.name) was told of bytes to read")
    ends.far.receiveAll()
    try written.wait(forCount: 1, of: "the writer's event on \(writing.name)")
    try bench.settle(reading.queue, writing.queue)
    context.expect(
      read.all == [.read], "the reader on \(reading.name) was told \(read.all) of one byte, with a writer beside it")
    context.expect(
      written.all.allSatisfy { $0 == .write }, "the writer on \(writing.name) was told \(written.all)")
    try bench.cancelAndWait(reader)
    try bench.cancelAndWait(writer)
    context.record("pairs of sources")
  }
}

private func manyReaders(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let ends = try bench.ends()
  let count = 60
  let targets = try bench.targets()
  let told = context.recorder(of: Int.self)
  for index in 0..<count {
    // Each is told once; nobody drains before all were.
    try bench.activeSource(ends.near, index % 3 == 2 ? [.read, .write] : .read, on: targets[index % 5].queue) { event in
      if event.isReadable {
        event.suspend()
        told.append(index)
      } else if told.count < count {
        // The writable half of a source for both is ready all the time; it need not be told of as fast as can be.
        context.pause(.milliseconds(1))
      }
    }
  }
  ends.far.send([1])
  try told.wait(forCount: count, of: "all readers of one descriptor")
  context.expect(Set(told.all).count == count, "\(count) readers: \(Set(told.all).count) were told")
  context.expect(ends.near.receive() == .bytes([1]), "the byte was gone though nobody read it")
  context.record("readers of one descriptor", count)
}

private func oneSuspends(_ context: CheckContext) throws {
  let bench = try context.bench()
  for (first, second) in try bench.pairsOfTargets() {
    let ends = try bench.ends()
    let told = [context.recorder(of: Received.self), context.recorder(of: Received.self)]
    let held = try bench.activeSource(ends.near, on: first.queue) { _ in told[0].append(ends.near.receive()) }
    let other = try bench.activeSource(ends.near, on: second.queue) { _ in told[1].append(ends.near.receive()) }
    held.suspend()
    try bench.settle(first.queue)
    for byte in 1...3 as ClosedRange<UInt8> {
      ends.far.send([byte])
      try told[1].wait(forCount: Int(byte), of: "the source beside a suspended one, on \(second.name)")
    }
    try bench.settle(first.queue, second.queue)
    context.expect(told[0].count == 0, "a suspended source on \(first.name) was told, with another beside it")
    other.suspend()
    try bench.settle(second.queue)
    ends.far.send([4])
    held.resume()
    try told[0].wait(forCount: 1, of: "the resumed source on \(first.name)")
    try bench.settle(first.queue, second.queue)
    context.expect(told[0].all == [.bytes([4])], "the resumed source saw \(told[0].all)")
    context.expect(told[1].count == 3, "the source that was suspended then was told: \(told[1].all)")
    try bench.cancelAndWait(held)
    try bench.cancelAndWait(other)
    context.record("suspensions beside a live source", 2)
  }
}

private func oneIsCancelled(_ context: CheckContext) throws {
  let bench = try context.bench()
  for (first, second) in try bench.pairsOfTargets() {
    for interests: (Interest, Interest) in [(.read, .read), (.write, .read), ([.read, .write], .read)] {
      let ends = try bench.ends()
      let leaving = bench.source(ends.near, interests.0, on: first.queue) { _ in }
      let told = context.recorder(of: Received.self)
      let staying = try bench.activeSource(ends.near, interests.1, on: second.queue) { _ in
        told.append(ends.near.receive())
      }
      try leaving.activate()
      try bench.cancelAndWait(leaving)
      context.expect(leaving.registeredWorker == nil, "a cancelled source says that it is registered")
      context.expect(
        staying.registeredWorker != nil, "the source on \(second.name) lost its registration with its neighbour's")
      ends.far.send([5])
      try told.wait(forCount: 1, of: "the source on \(second.name), whose neighbour was cancelled")
      context.expect(told.all == [.bytes([5])], "the source that stayed saw \(told.all)")
      try bench.cancelAndWait(staying)
      context.record("cancellations beside a live source")
    }
  }
}

private func comingAndGoing(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let ends = try bench.ends()
  let targets = try bench.targets().map(\.queue)
  let rounds = context.scaled(400, minimum: 30)
  let bytes = Tally()
  let steady = try bench.activeSource(ends.near, on: targets[1]) { _ in
    if case .bytes(let received) = ends.near.receive(16) { bytes.add(received.count) }
  }
  try context.onThreads(3) { index, random in
    for _ in 0..<rounds {
      let interest: Interest = random.oneIn(2) ? .write : [.read, .write]
      let cancelled = context.latch()
      let source = bench.dispatcher.makeReadinessSource(
        ends.near.number, interest: interest, target: random.pick(targets))
      source.setEventHandler { _ in }
      source.setCancelHandler { cancelled.signal() }
      try source.activate()
      if random.oneIn(2) { source.suspend() }
      if index == 0 { ends.far.send([1]) }
      if random.oneIn(2) { try source.setTarget(random.pick(targets)) }
      source.cancel()
      try cancelled.wait(for: "a cancel handler")
    }
  }
  try context.eventually("the steady source read \(rounds) bytes", { bytes.value == rounds })
  try bench.cancelAndWait(steady)
  context.record("sources that came and went", 3 * rounds)
}

extension Bench {
  /// Pairs of targets: the same, and different ones that live on different threads.
  fileprivate func pairsOfTargets() throws -> [((name: String, queue: any Queue), (name: String, queue: any Queue))] {
    let all = try targets()
    return [
      (all[0], all[0]), (all[0], all[1]), (all[1], all[0]), (all[3], all[0]), (all[3], all[3]), (all[4], all[4]),
      (all[2], all[4]),
    ]
  }
}
