import Glibc
import HawtDispatch

extension Rule {
  /// S9: other processes.
  static let s9 = Rule(
    "S9",
    "All internal descriptors are close-on-exec; in a forked child every use is refused, and the parent's registrations "
      + "stay untouched by whatever the child does or frees.",
    why:
      "A poller that leaks into a program that was started keeps sockets open and reports what nobody reads; a child "
      + "shares the parent's kernel set, so that one deregistration there makes the parent deaf.",
    whereToLook: ["Sources/HawtDispatch (fork detection)", "Sources/Polling/Poller (abandonAfterFork)"],
    capabilities: [.processFiles],
    checks: [
      Check("internal descriptors are close-on-exec") {
        try $0.expectSuccess(of: "close-on-exec")
      },
      Check("uses in a forked child trap and name the dispatcher") {
        try $0.expectSuccess(of: "uses in a child", environment: forkEnvironment)
      },
      Check("uses in a child that a handler forked, too") {
        try $0.expectSuccess(of: "a handler that forks", environment: forkEnvironment)
      },
      Check("a child that returns from the task that forked is no worker") {
        try $0.expectSuccess(of: "a child that returns", environment: forkEnvironment)
      },
      Check("a child that exits or frees everything leaves the parent's registrations alone") {
        try $0.expectSuccess(of: "a child frees everything", environment: forkEnvironment)
      },
      Check("a signal to a child is not told in the parent") {
        try $0.expectSuccess(of: "a signal to a child", environment: forkEnvironment)
      },
      Check("a child makes a dispatcher of its own") {
        try $0.expectSuccess(of: "a new dispatcher in a child", environment: forkEnvironment)
      },
    ],
    scenarios: [
      Scenario("close-on-exec", closeOnExec),
      Scenario("uses in a child", usesInAChild),
      Scenario("a handler that forks", handlerForks),
      Scenario("a child that returns", childReturns),
      Scenario("a child frees everything", childFreesEverything),
      Scenario("a signal to a child", signalToAChild),
      Scenario("a new dispatcher in a child", newDispatcherInAChild),
    ])
}

private func openNumbers() -> Set<CInt> {
  // The number of the directory's own descriptor is among them; it is closed by the time anybody looks.
  Set(Process.entries(of: "/proc/self/fd").compactMap { CInt($0) }.filter { fcntl($0, F_GETFD) >= 0 })
}

private func closeOnExec(_ context: CheckContext) throws {
  let before = openNumbers()
  let bench = try context.bench(workers: 3)
  let dispatcher = bench.dispatcher
  // Everything that could open something is used once.
  let done = context.latch(4)
  dispatcher.threadQueues[0].asyncAfter(.milliseconds(1)) { done.signal() }
  dispatcher.threadQueues[1].asyncAfter(.milliseconds(1), clock: .suspending, leeway: .zero) { done.signal() }
  let signals = dispatcher.makeSignalSource(SIGUSR2, target: dispatcher.global()) { _ in done.signal() }
  try signals.activate()
  kill(getpid(), SIGUSR2)
  let merging = dispatcher.makeMergingSource(Aggregation<Int, Int>.sum, target: dispatcher.global()) { _ in
    done.signal()
  }
  try merging.activate()
  merging.merge(1)
  try done.wait(for: "timers, a signal and a merge")
  try bench.settle()
  let other = try Dispatcher(configuration: context.configuration())
  let internals = openNumbers().subtracting(before)
  context.expect(internals.count >= 3, "a dispatcher with 3 workers opened only \(internals.count) descriptors")
  for number in internals {
    // The thread sanitizer talks to its symbolizer through pipes; the library has none.
    let file = Process.link("/proc/self/fd/\(number)") ?? "gone"
    if Process.isThreadSanitized && file.hasPrefix("pipe:") { continue }
    let flags = fcntl(number, F_GETFD)
    context.expect(
      flags & FD_CLOEXEC != 0,
      "descriptor \(number) (\(file)) is not close-on-exec")
    context.record("descriptors looked at")
  }
  context.expect(other.shutdownAndWait().isClean, "a dispatcher without work did not end cleanly")
  signals.cancel()
}

/// A dispatcher with one of everything, as a child finds it.
private final class Estate: Sendable {
  let bench: Bench
  let queue: SerialQueue
  let ends: Ends
  let source: ReadinessSource
  let timer: TimerSource
  let merging: MergingSource<Int, Int>
  let handle: TimerHandle
  let events: Recorder<Received>

  init(_ context: CheckContext) throws {
    bench = try context.bench { $0.name = "parental" }
    let dispatcher = bench.dispatcher
    queue = try dispatcher.makeSerialQueue(label: "inherited", target: dispatcher.threadQueues[0])
    ends = try bench.ends()
    let events = context.recorder(of: Received.self)
    self.events = events
    source = try bench.activeSource(ends.near, on: queue) { [ends] _ in events.append(ends.near.receive()) }
    timer = dispatcher.makeTimerSource(target: queue) { _ in }
    timer.schedule(after: .seconds(3_600))
    try timer.activate()
    merging = dispatcher.makeMergingSource(.sum, target: queue) { _ in }
    try merging.activate()
    handle = queue.asyncAfter(.seconds(3_600)) {}
    try bench.settle(queue)
    // What is pending when a dispatcher ends is reported, rightly, and that is not looked at here.
    context.atEnd { [timer, handle] in
      timer.cancel()
      handle.cancel()
    }
  }

  /// The parent goes on as if there were no child.
  func expectUnharmed(_ byte: UInt8, _ circumstances: String) throws {
    let before = events.count
    ends.far.send([byte])
    try events.wait(forCount: before + 1, of: "the parent's event after \(circumstances)")
    bench.context.expect(events.all.last == .bytes([byte]), "after \(circumstances), the parent saw \(events.all)")
    try bench.settle(queue)
  }
}

private func usesInAChild(_ context: CheckContext) throws {
  let estate = try Estate(context)
  let dispatcher = estate.bench.dispatcher
  let item = WorkItem {}
  let inactive = dispatcher.makeReadSource(estate.ends.near.number, target: estate.queue)
  let uses: [(String, () throws -> Void)] = [
    ("async on a serial queue", { estate.queue.async {} }),
    ("async on a global queue", { dispatcher.global().async {} }),
    ("async on a thread queue", { dispatcher.threadQueues[1].async {} }),
    ("async of an item", { estate.queue.async(item) }),
    ("a value kept with a queue", { estate.queue.setSpecific(QueueKey<Int>(), 1) }),
    ("a value asked of a queue", { _ = estate.queue.specific(QueueKey<Int>()) }),
    ("the pinned worker", { _ = estate.queue.pinnedWorker }),
    ("a handler set", { inactive.setEventHandler { _ in } }),
    ("asyncAfter", { estate.queue.asyncAfter(.milliseconds(1)) {} }),
    ("sync", { try estate.queue.sync {} }),
    ("setTarget of a queue", { try estate.queue.setTarget(dispatcher.threadQueues[1]) }),
    ("suspend of a queue", { estate.queue.suspend() }),
    ("makeSerialQueue", { _ = dispatcher.makeSerialQueue(label: "late") }),
    ("activate of a source", { try inactive.activate() }),
    ("suspend of a source", { estate.source.suspend() }),
    ("setTarget of a source", { try estate.source.setTarget(dispatcher.threadQueues[1]) }),
    ("cancel of a source", { estate.source.cancel() }),
    ("schedule of a timer", { estate.timer.schedule(after: .zero) }),
    ("cancel of a timer's handle", { estate.handle.cancel() }),
    ("merge", { estate.merging.merge(1) }),
    ("whenCancelled", { dispatcher.whenCancelled([estate.source], on: estate.queue) {} }),
    ("shutdown", { dispatcher.shutdown() }),
    ("restart", { try dispatcher.restart() }),
  ]
  for (index, (name, use)) in uses.enumerated() {
    expectTrapped(try forked(use), "\(name) in a forked child", context)
    try estate.expectUnharmed(UInt8(index), "\(name) in a child")
    context.record("uses refused in a child")
  }
}

private func expectTrapped(_ outcome: ForkOutcome, _ what: String, _ context: CheckContext) {
  context.expect(
    outcome.signal != nil && outcome.signal != SIGALRM, "\(what) did not trap: \(outcome.description)")
  context.expect(
    outcome.said.contains("parental") && outcome.said.contains("fork"),
    "the trap of \(what) does not name the dispatcher and the fork: \(outcome.said)")
}

/// In a handler the poller's lease is free: the child could change the kernel's set that it shares.
private func handlerForks(_ context: CheckContext) throws {
  let uses: [(String, @Sendable (ReadinessEvent) -> Void)] = [
    ("event.cancel()", { $0.cancel() }), ("event.suspend()", { $0.suspend() }),
  ]
  let estate = try Estate(context)
  for (name, use) in uses {
    let ends = try estate.bench.ends()
    let outcomes = context.recorder(of: ForkOutcome.self)
    let source = try estate.bench.activeSource(ends.near, on: estate.queue) { event in
      ends.near.receiveAll()
      outcomes.append(try forked { use(event) })
    }
    for round in 1...2 {
      ends.far.send([1])
      let outcome = try outcomes.wait(forCount: round, of: "a handler that forks, round \(round)").last!
      expectTrapped(outcome, "\(name) in a child that a handler forked", context)
      try estate.expectUnharmed(UInt8(round), "\(name) in a child that a handler forked")
      context.record("uses refused in children of handlers")
    }
    try estate.bench.cancelAndWait(source)
  }
}

private func childReturns(_ context: CheckContext) throws {
  let estate = try Estate(context)
  let dispatcher = estate.bench.dispatcher
  let ends = try estate.bench.ends()
  let outcomes = context.recorder(of: ForkOutcome.self)
  let fork: @Sendable () throws -> Void = { if let outcome = try forkHere() { outcomes.append(outcome) } }
  let source = dispatcher.makeReadSource(ends.near.number, target: estate.queue) { _ in
    ends.near.receiveAll()
    try fork()
  }
  try source.activate()
  let ways: [(String, () -> Void)] = [
    ("a task of a serial queue", { estate.queue.async(fork) }),
    ("a task with others behind it", { for _ in 0..<2 { estate.queue.async(fork) } }),
    ("a task of a thread queue", { dispatcher.threadQueues[1].async(fork) }),
    ("a task of a global queue", { dispatcher.global(.low).async(fork) }),
    ("a timer's task", { estate.queue.asyncAfter(.zero, fork) }),
    ("an event handler", { ends.far.send([1]) }),
  ]
  var due = 0
  for (turn, (name, way)) in ways.enumerated() {
    way()
    due += name.contains("behind") ? 2 : 1
    let all = try outcomes.wait(forCount: due, of: "\(name) that forks")
    for outcome in all.suffix(name.contains("behind") ? 2 : 1) {
      expectTrapped(outcome, "a child that returns from \(name)", context)
    }
    try estate.expectUnharmed(UInt8(turn), "a child that returned from \(name)")
    context.record("children that returned")
  }
  try estate.bench.cancelAndWait(source)
}

private func childFreesEverything(_ context: CheckContext) throws {
  let estate = try Estate(context)
  // What the child is to free: nobody else refers to it.
  var loose: [ReadinessSource] = []
  let looseEnds = try (0..<4).map { _ in try estate.bench.ends() }
  let events = context.recorder(of: Int.self)
  for (index, ends) in looseEnds.enumerated() {
    let source = estate.bench.dispatcher.makeReadSource(
      ends.near.number, target: estate.bench.dispatcher.threadQueues[index % 2]
    ) { _ in
      ends.near.receiveAll()
      events.append(index)
    }
    try source.activate()
    loose.append(source)
  }
  var other: Dispatcher? = try Dispatcher(configuration: context.configuration(name: "second"))
  let ways: [(String, () throws -> Void)] = [
    ("a child that ends at once", {}),
    ("a child that exits", { exit(0) }),
    ("a child that drops sources", { loose.removeAll() }),
    ("a child that drops a dispatcher", { other = nil }),
    (
      "a child that drops everything and exits",
      {
        loose.removeAll(); other = nil; exit(0)
      }
    ),
    ("a child that closes every descriptor", { for number in openNumbers() where number > 2 { close(number) } }),
    ("a child that is killed", { raise(SIGKILL) }),
  ]
  for (turn, (name, way)) in ways.enumerated() {
    let outcome = try forked(way)
    let isKilled = outcome.signal == SIGKILL && name.contains("killed")
    context.expect(outcome.exitCode == 0 || isKilled, "\(name) ended badly: \(outcome.description)")
    try estate.expectUnharmed(UInt8(turn), name)
    let before = events.count
    for ends in looseEnds { ends.far.send([1]) }
    try events.wait(forCount: before + looseEnds.count, of: "all of the parent's sources after \(name)")
    let done = context.latch()
    other?.global().async { done.signal() }
    try done.wait(for: "the parent's second dispatcher after \(name)")
    context.record("children")
  }
  context.expect(other?.shutdownAndWait().isClean == true, "the second dispatcher did not end cleanly")
  withExtendedLifetime(loose) {}
}

private func signalToAChild(_ context: CheckContext) throws {
  let estate = try Estate(context)
  let counted = Tally()
  let source = estate.bench.dispatcher.makeSignalSource(SIGUSR1, target: estate.queue) { counted.add($0) }
  try source.activate()
  for round in 1...3 {
    // The child inherits the handler, and with it the way to the parent's source.
    let outcome = try forked { for _ in 0..<5 { raise(SIGUSR1) } }
    context.expect(outcome.exitCode == 0, "a child that was signalled ended badly: \(outcome.description)")
    try estate.expectUnharmed(UInt8(round), "a child that was signalled")
    context.expect(counted.value == round - 1, "5 signals to a child were told in the parent: \(counted.value)")
    kill(getpid(), SIGUSR1)
    try context.eventually("the parent's own signal is told", { counted.value >= round })
    context.record("children that were signalled")
  }
  source.cancel()
}

private func newDispatcherInAChild(_ context: CheckContext) throws {
  let estate = try Estate(context)
  let outcome = try forked {
    // The bench is the parent's: the child has only what it makes.
    let dispatcher = try Dispatcher(configuration: context.configuration(name: "filial"))
    let ends = try Ends.unixStream()
    let received = context.recorder(of: Received.self)
    let source = dispatcher.makeReadSource(ends.near.number, target: dispatcher.threadQueues[0]) { _ in
      received.append(ends.near.receive())
    }
    try source.activate()
    ends.far.send([9])
    try received.wait(forCount: 1, of: "an event in the child")
    let fired = context.latch()
    dispatcher.global().asyncAfter(.milliseconds(1)) { fired.signal() }
    try fired.wait(for: "a timer in the child")
    source.cancel()
    guard dispatcher.shutdownAndWait().isClean else { throw CheckFailure("the child's dispatcher did not end cleanly") }
  }
  context.expect(outcome.exitCode == 0, "a child could not use a dispatcher of its own: \(outcome.description)")
  try estate.expectUnharmed(1, "a child with a dispatcher of its own")
  context.record("dispatchers in a child")
}
