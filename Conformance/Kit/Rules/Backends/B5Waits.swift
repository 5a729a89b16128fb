import HawtDispatch
import Polling

extension Rule {
  /// B5: what a wait does.
  static let b5 = Rule(
    "B5", "A wait fills a buffer and runs no user code; a descriptor stands in it at most once.",
    why:
      "User code that runs inside a wait can change what the wait is going through; the lease could not be handed over.",
    whereToLook: ["your backend's wait(_:into:)", "Sources/Polling/Poller/Poller+Wait.swift"],
    checks: [
      Check("both directions are one report", bothDirectionsAreOneReport),
      Check("a small buffer is not overrun, and everybody gets a turn", smallBuffer),
      Check("no handler runs inside a wait", noHandlerInsideAWait),
      Check("more ready descriptors than a poller's buffer takes are all told", moreThanTheBufferTakes),
    ])
}

private func bothDirectionsAreOneReport(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let all = try (0..<10).map { _ in try raw.ends() }
  for ends in all {
    ends.far.send([1])
    _ = try raw.add(ends.near.number, [.read, .write])
  }
  for mode in [WaitMode.now, .untilReady] {
    let entries = try raw.backend.wait(mode)
    context.expect(
      Set(entries.map(\.token)).count == entries.count, "a wait reported a descriptor twice: \(entries)")
    context.expect(entries.count == 10, "10 descriptors are ready and a wait reported \(entries.count)")
    context.expect(
      entries.allSatisfy { $0.readiness == [.read, .write] },
      "both directions are ready, and a wait reported \(entries)")
    context.record("reports", entries.count)
  }
}

private func smallBuffer(_ context: CheckContext) throws {
  for capacity in [1, 3, 7] {
    let raw = try RawBench(context)
    let all = try (0..<20).map { _ in try raw.ends() }
    var waiting: Set<Polling.Token> = []
    for ends in all {
      ends.far.send([1])
      waiting.insert(try raw.add(ends.near.number, [.read, .write]))
    }
    // All stay ready: a backend that always prefers the same ones starves the rest.
    var rounds = 0
    while !waiting.isEmpty && rounds < 400 {
      let entries = try raw.backend.wait(.now, capacity: capacity)
      context.expect(entries.count <= capacity, "a buffer for \(capacity) reports brought \(entries.count)")
      context.expect(!entries.isEmpty, "20 descriptors are ready and a wait reported none")
      waiting.subtract(entries.map(\.token))
      rounds += 1
    }
    context.expect(
      waiting.isEmpty,
      "with a buffer for \(capacity), \(waiting.count) of 20 ready descriptors never came in \(rounds) waits")
    context.record("waits into a small buffer", rounds)
  }
}

private func noHandlerInsideAWait(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench()
  let inside = Tally()
  let ran = Tally()
  let look: @Sendable () -> Void = {
    ran.add()
    if observer.isInsideBackend { inside.add() }
  }
  for target in try bench.targets() {
    let ends = try bench.ends()
    let read = Tally()
    let source = bench.source(ends.near, on: target.queue) { _ in
      look()
      read.add(ends.near.receiveAll().count)
    }
    source.setCancelHandler(look)
    try source.activate()
    let timer = bench.dispatcher.makeTimerSource(target: target.queue) { _ in look() }
    timer.schedule(after: .zero, repeating: .milliseconds(1))
    try timer.activate()
    for round in 1...50 {
      ends.far.send([1])
      target.queue.async(look)
      try context.eventually("event \(round) on \(target.name)", { read.value >= round })
    }
    timer.cancel()
    let cancelled = context.latch()
    bench.dispatcher.whenCancelled([source], on: target.queue) {
      look()
      cancelled.signal()
    }
    source.cancel()
    try cancelled.wait(for: "a joint handler on \(target.name)")
  }
  try bench.settle()
  context.expect(
    inside.value == 0, "\(inside.value) of \(ran.value) tasks and handlers ran inside a call to the backend")
  context.record("tasks and handlers", ran.value)
}

private func moreThanTheBufferTakes(_ context: CheckContext) throws {
  let bench = try context.bench()
  // A poller's buffer is for a few hundred reports; these are more, and stay ready.
  let count = 700
  let told = context.latch(count)
  let thread = bench.dispatcher.threadQueues[0]
  let gate = try context.hold(thread)
  for _ in 0..<count {
    let event = bench.keep(try Descriptor.event())
    event.ring()
    let source = bench.source(event, on: thread) { event in
      event.suspend()
      told.signal()
    }
    try source.activate()
  }
  gate.open()
  try told.wait(for: "\(count) descriptors that became ready at once")
  try bench.settle(thread)
  context.expect(told.count == 0, "\(count) ready descriptors were told \(count - told.count) times")
  context.record("descriptors ready at once", count)
}
