import Glibc
import HawtDispatch

extension Rule {
  static let l5 = Rule(
    "L5", "a dispatcher whose last reference goes runs what it was given, stops, and frees everything",
    why: "a library embeds a dispatcher and must not leak threads into its host",
    whereToLook: ["the dispatcher's handle and its deinit", "who joins a worker that drops the last reference"],
    capabilities: [.processFiles],
    checks: [
      Check("dropped with work on every kind of queue", droppedWithWork),
      Check("dropped with armed timers", droppedWithTimers),
      Check("dropped by its own task", droppedByOwnTask),
      Check("a queue, or a source, keeps it alive", keptAlive),
      Check("made and dropped many times without a leak") { try $0.expectSuccess(of: "many") },
      Check("one that cannot be made leaves nothing behind") { try $0.expectSuccess(of: "no descriptors left") },
      Check("stopped, with a thread left behind that comes back") { try $0.expectSuccess(of: "thread comes back") },
      Check("stopped, with a joint handler that never ran") { try $0.expectSuccess(of: "joint handler") },
      Check("stopped, with a source ended later whose handler holds its queue") { try $0.expectSuccess(of: "circle") },
    ],
    scenarios: [
      Scenario("many", manyLives), Scenario("no descriptors left", noDescriptorsLeft),
      Scenario("thread comes back", threadComesBack), Scenario("joint handler", jointHandlerGoes),
      Scenario("circle", circleThroughAHandler),
    ])
}

private func droppedWithWork(_ context: CheckContext) throws {
  for round in 0..<context.scaled(40, minimum: 6) {
    let settings = context.configuration(workers: 1 + round % 3)
    let ran = Tally()
    do {
      let dispatcher = try Dispatcher(configuration: settings)
      var queues: [any Queue] = [dispatcher.global(.low)] + dispatcher.threadQueues
      for kind in QueueKind.serial { queues.append(try kind.make(dispatcher, kind.rawValue)) }
      for queue in queues {
        for _ in 0..<10 {
          queue.async {
            spin(.microseconds(2))
            // What runs may hand on, even when nobody outside knows the dispatcher any more.
            Dispatcher.currentThreadQueue?.async { ran.add() }
          }
        }
      }
      ran.add(-10 * queues.count)
    }
    try context.eventually("all work of a dropped dispatcher has run (\(ran.value))") { ran.value == 0 }
    context.expectNoThreads(of: settings.name)
    context.record("dispatchers dropped with work")
  }
}

private func droppedWithTimers(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    var settings = context.configuration(workers: 2)
    let told = context.recorder(of: DiscardedWork.self)
    settings.errorHandler = { failure in if let work = failure.error as? DiscardedWork { told.append(work) } }
    let ran = Tally()
    do {
      let dispatcher = try Dispatcher(configuration: settings)
      let queue = try kind.make(dispatcher, "timed")
      for clock in [TimerClock.continuous, .suspending] {
        queue.asyncAfter(.seconds(3_600), clock: clock, leeway: .zero) { ran.add() }
      }
      queue.async { ran.add() }
    }
    let work = try told.wait(forCount: 1, of: "the report of a dropped dispatcher's timers")
    context.expect(work[0].tasks == 0 && work[0].timers == 2, "2 timers of a dropped dispatcher are told as \(work)")
    context.expectNoThreads(of: settings.name)
    context.expect(ran.value == 1, "of a task and two timers of a dropped dispatcher, \(ran.value) ran")
    context.record("timers dropped and told of", 2)
  }
}

private func droppedByOwnTask(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let settings = context.configuration(workers: 2)
    let freed = Tally()
    let gate = context.gate()
    do {
      let dispatcher = try Dispatcher(configuration: settings)
      let queue = try kind.make(dispatcher, "last")
      let token = Token { freed.add() }
      // The task holds the last reference, and lets it go on the worker.
      queue.async { [dispatcher] in
        gate.pass()
        token.touch()
        _ = dispatcher.name
      }
      try gate.waitForArrivals()
    }
    gate.open()
    try context.eventually("the task's captures are released") { freed.value == 1 }
    context.expectNoThreads(of: settings.name)
    context.record("dispatchers dropped by their own task")
  }
}

private func keptAlive(_ context: CheckContext) throws {
  let settings = context.configuration(workers: 2)
  let pipe = try context.makePipe()
  let handled = context.latch()
  do {
    let queue = try Dispatcher(configuration: settings).makeSerialQueue(label: "keeps it alive")
    context.pause(.milliseconds(5))
    for _ in 0..<10 { try context.drain(queue) }
    let name = queue.dispatcher.name
    context.expect(name == settings.name, "a queue's dispatcher is called '\(name)'")
    context.record("tasks through a queue that is all that is left", 10)
  }
  context.expectNoThreads(of: settings.name)

  let others = context.configuration(workers: 2)
  do {
    let source: ReadinessSource
    do {
      let dispatcher = try Dispatcher(configuration: others)
      source = dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.makeSerialQueue()) { _ in
        if pipe.drain() > 0 { handled.signal() }
      }
      try source.activate()
    }
    context.pause(.milliseconds(5))
    pipe.write()
    try handled.wait(for: "an event of a source that is all that is left")
    withExtendedLifetime(source) {}
    context.record("events through a source that is all that is left")
  }
  context.expectNoThreads(of: others.name)
}

/// In a process of its own: descriptors and threads are counted exactly.
private func manyLives(_ context: CheckContext) throws {
  let total = context.scaled(300, minimum: 30)
  // A sanitizer starts a thread of its own with the process's first one.
  Thread {}.join()
  let threads = Process.threadCount
  func live(_ number: Int) throws {
    let ran = Tally()
    do {
      let dispatcher = try Dispatcher(configuration: context.configuration(workers: 2))
      let pipe = try Pipe()
      defer { pipe.close() }
      let source = dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.makeSerialQueue()) { _ in }
      let cancelled = context.latch()
      source.setCancelHandler { cancelled.signal() }
      try source.activate()
      dispatcher.global().async { ran.add() }
      dispatcher.global().asyncAfter(.seconds(1_000)) {}.cancel()
      source.cancel()
      try cancelled.wait(for: "a cancel handler")
    }
    try context.eventually("the work of life \(number) is done") { ran.value == 1 }
  }
  for number in 0..<3 { try live(number) }
  try context.eventually("the first lives are over", within: .seconds(5)) { Process.threadCount == threads }
  let descriptors = Process.descriptors.count
  for number in 3..<total { try live(number) }
  try context.eventually("all threads have ended", within: .seconds(5)) { Process.threadCount == threads }
  try context.eventually("all descriptors are closed", within: .seconds(5)) {
    Process.descriptors.count == descriptors
  }
  context.record("dispatchers made and dropped", total)
}

private let descriptorLimit = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

/// In a process of its own, whose limit on descriptors it lowers.
private func noDescriptorsLeft(_ context: CheckContext) throws {
  for count in [0, -1, 1_025, 100_000] {
    do {
      _ = try Dispatcher(configuration: context.configuration(workers: count))
      context.fail("a dispatcher with \(count) workers was made")
    } catch { context.expect(error == .invalidWorkerCount(count), "\(count) workers were refused with: \(error)") }
  }
  let before = Process.descriptors.count
  let threads = Process.threadCount
  var limit = rlimit()
  getrlimit(descriptorLimit, &limit)
  // From far too few to nearly enough: the failure moves through every step of the start.
  for spare in 0..<12 {
    var lowered = limit
    lowered.rlim_cur = rlim_t(before + spare)
    setrlimit(descriptorLimit, &lowered)
    let outcome = Result { try Dispatcher(configuration: context.configuration(workers: 8)) }
    setrlimit(descriptorLimit, &limit)
    switch outcome {
    case .success: context.fail("8 workers were made with \(spare) descriptors to spare")
    case .failure(let error as DispatcherError):
      switch error {
      case .backend, .systemRefused: context.record("starts without descriptors that were rolled back")
      default: context.fail("too few descriptors were reported as: \(error)")
      }
    case .failure(let error): context.fail("too few descriptors were reported as: \(error)")
    }
    try context.eventually("no thread is left of a start that failed", within: .seconds(5)) {
      Process.threadCount == threads
    }
    context.expect(Process.descriptors.count == before, "a start that failed left \(Process.descriptors)")
  }
  try context.drain(try context.makeDispatcher(workers: 8).global())
}
