import HawtDispatch

// S7, the part about the cancel handler: where it runs, when, and what is gone by then.

func placeOfTheCancelHandler(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench(workers: 3)
  for target in try bench.targets() {
    for moves in [false, true] {
      let ends = try bench.ends()
      let destination: any Queue = moves ? bench.dispatcher.makeSerialQueue(label: "destination") : target.queue
      let seen = context.recorder(of: String.self)
      let occupancy = Occupancy()
      let source = bench.source(ends.near, .write, on: target.queue) { _ in occupancy.during {} }
      try bench.settle()
      let registrations = bench.registrations
      source.setCancelHandler { [weak source] in
        if !destination.isExecuting { seen.append("not on its queue") }
        if occupancy.present != 0 { seen.append("during a handler") }
        if source?.registeredWorker != nil { seen.append("registered with a worker") }
        if bench.registrations != registrations { seen.append("in the pollers' count") }
        let last = observer.calls.last { $0.descriptor == ends.near.number }
        if let last, !last.new.isEmpty { seen.append("registered with the backend") }
        if !PollerInspection.pollers(containing: ends.near.number).isEmpty { seen.append("in the kernel's set") }
        seen.append("cancelled")
      }
      try source.activate()
      if moves { try source.setTarget(destination) }
      source.cancel()
      try seen.wait(forCount: 1, of: "the cancel handler on \(target.name)")
      try bench.settle(target.queue, destination)
      context.expect(
        seen.all == ["cancelled"], "on \(target.name), moved: \(moves), the cancel handler saw: \(seen.all)")
      context.record("cancel handlers looked into")
    }
  }
}

func suspensionAndCancel(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    ends.far.send([1])
    let events = Tally()
    let cancelled = context.latch()
    let source = bench.source(ends.near, on: target.queue) { _ in events.add() }
    source.setCancelHandler { cancelled.signal() }
    source.suspend()
    source.suspend()
    try source.activate()
    source.cancel()
    try cancelled.wait(for: "the cancel handler of a suspended source on \(target.name)")
    source.resume()
    source.resume()
    try bench.settle(target.queue)
    context.expect(events.value == 0, "on \(target.name), a cancelled source told after its resume")
    context.record("suspended sources cancelled")
  }
  let outer = bench.dispatcher.makeSerialQueue(label: "outer")
  let inner = try bench.dispatcher.makeSerialQueue(label: "inner", target: outer)
  for suspended in [outer, inner] {
    for isActive in [true, false] {
      let ends = try bench.ends()
      let cancelled = context.latch()
      let source = bench.source(ends.near, on: inner) { _ in }
      source.setCancelHandler { cancelled.signal() }
      if isActive { try source.activate() }
      suspended.suspend()
      source.cancel()
      try bench.settle()
      context.expect(
        cancelled.count == 1, "the cancel handler ran on a suspended queue (\(suspended.label), active: \(isActive))")
      suspended.resume()
      try cancelled.wait(for: "the cancel handler after the target's resume")
      context.record("suspended targets")
    }
  }
}

func cancelOffAStuckWorker(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let threads = bench.dispatcher.threadQueues
  let global = bench.dispatcher.global()
  var homed: [(source: ReadinessSource, ends: Ends, cancelled: Latch)] = []
  for index in 0..<12 {
    let ends = try bench.ends()
    let cancelled = context.latch()
    let queue: any Queue = index % 2 == 0 ? bench.dispatcher.makeSerialQueue(label: "unpinned \(index)") : global
    let source = try bench.activeSource(ends.near, on: queue) { _ in }
    source.setCancelHandler { cancelled.signal() }
    homed.append((source, ends, cancelled))
  }
  let pinnedEnds = try bench.ends()
  let pinnedCancelled = context.latch()
  let pinned = try bench.activeSource(pinnedEnds.near, on: threads[0]) { _ in }
  pinned.setCancelHandler { pinnedCancelled.signal() }
  try bench.settle()
  let gate = try context.hold(threads[0])
  for item in homed { item.source.cancel() }
  for (index, item) in homed.enumerated() {
    try item.cancelled.wait(for: "the cancel handler of unpinned source \(index) while a worker is stuck")
  }
  pinned.cancel()
  try context.eventually(
    "the pinned source's registration leaves the stuck worker's poller", { pinned.registeredWorker == nil })
  context.expect(pinnedCancelled.count == 1, "a cancel handler ran on a thread that was held")
  gate.open()
  try pinnedCancelled.wait(for: "the cancel handler on the thread that was held")
  context.record("sources cancelled while a worker was stuck", homed.count + 1)
}

func handlersAfterCancel(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    ends.far.send([1])
    let ran = context.recorder(of: String.self)
    let source = bench.source(ends.near, on: target.queue) { _ in ran.append("event") }
    source.setCancelHandler { ran.append("first cancel handler") }
    // Held, so that the new handlers are set before the old one has run.
    let gates = try bench.dispatcher.threadQueues.map { try context.hold($0) }
    source.cancel()
    source.setEventHandler { _ in ran.append("late event") }
    source.setCancelHandler { ran.append("late cancel handler") }
    source.setErrorHandler { _ in ran.append("late error handler") }
    for gate in gates { gate.open() }
    try ran.wait(forCount: 1, of: "the cancel handler on \(target.name)")
    source.setCancelHandler { ran.append("very late cancel handler") }
    source.cancel()
    try bench.settle(target.queue)
    context.expect(ran.all == ["first cancel handler"], "on \(target.name), there ran \(ran.all)")
    let without = bench.source(ends.near, on: target.queue)
    without.cancel()
    without.setCancelHandler { context.fail("on \(target.name), a cancel handler that was set after cancel() ran") }
    try bench.settle(target.queue)
    context.record("handlers set after cancel", 5)
  }
}

func jointHandler(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  for target in try bench.targets() {
    let ends = try bench.ends()
    let order = context.recorder(of: String.self)
    let sources = try bench.targets().enumerated().map { index, other in
      let source = bench.source(ends.near, index % 2 == 0 ? .read : .write, on: other.queue) { _ in }
      source.setCancelHandler { order.append("source \(index)") }
      // One is never activated, and its cancellation counts as any other's.
      if index != 3 { try source.activate() }
      return source
    }
    bench.dispatcher.whenCancelled(sources, on: target.queue) {
      order.append(target.queue.isExecuting ? "joint" : "joint, elsewhere")
      ends.near.close()
    }
    for source in sources.dropLast() { source.cancel() }
    try order.wait(forCount: sources.count - 1, of: "the first cancel handlers")
    try bench.settle(target.queue)
    context.expect(order.count == sources.count - 1, "the joint handler ran before the last cancel: \(order.all)")
    sources.last?.cancel()
    try order.wait(forCount: sources.count + 1, of: "the joint handler on \(target.name)")
    try bench.settle(target.queue)
    context.expect(
      order.all.last == "joint" && order.count == sources.count + 1, "on \(target.name), there ran \(order.all)")
    // All are cancelled by now; and there may be none at all.
    let late = context.latch(2)
    bench.dispatcher.whenCancelled(sources, on: target.queue) { late.signal() }
    bench.dispatcher.whenCancelled([], on: target.queue) { late.signal() }
    try late.wait(for: "a joint handler for sources that were cancelled before, and one for none")
    context.record("joint handlers", 3)
  }
}
