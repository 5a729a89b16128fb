import Glibc
import HawtDispatch

extension Rule {
  /// L6: many dispatchers, one process.
  static let l6 = Rule(
    "L6",
    "Several dispatchers in one process are independent: own backend, workers, error handler, metrics; signals reach each "
      + "that asked. One that cannot be made leaves nothing behind.",
    why: "A library that brings its own dispatcher into a process must neither notice nor disturb another's.",
    whereToLook: ["Sources/HawtDispatch/Dispatcher", "Sources/HawtDispatch/Sources/SignalSource.swift"],
    capabilities: [.processFiles],
    checks: [
      Check("own workers, threads and names", ownWorkers),
      Check("own backends, of every kind that is built in", ownBackends),
      Check("own error handlers", ownErrorHandlers),
      Check("own metrics: one works, the other sleeps", ownMetrics),
      Check("one is stuck or shut down, the other goes on", oneEndsTheOtherGoesOn),
      Check("signals reach each that asked") { try $0.expectSuccess(of: "signals") },
      Check("a configuration out of range is a typed error, and nothing is left", badConfigurations),
      Check("names and labels of any text", anyText),
      Check("the limit of descriptors, at every point of the start") {
        try $0.expectSuccess(of: "limit of descriptors")
      },
      Check("as many workers as there may be, with descriptors for all and for some") {
        try $0.expectSuccess(of: "most workers")
      },
    ],
    scenarios: [
      Scenario("signals", signalsReachEach),
      Scenario("limit of descriptors", limitOfDescriptors),
      Scenario("most workers", mostWorkers),
    ])
}

private func ownWorkers(_ context: CheckContext) throws {
  let dispatchers = try (0..<8).map { _ in try context.makeDispatcher(workers: 2) }
  var owners: [UInt: Int] = [:]
  for (index, dispatcher) in dispatchers.enumerated() {
    let threads = context.recorder(of: UInt.self)
    for thread in dispatcher.threadQueues {
      thread.async {
        threads.append(Process.currentThread)
        let wrong = dispatchers.enumerated().contains { other, candidate in
          (Dispatcher.currentQueue?.dispatcher == candidate) != (other == index)
            || other != index && candidate.threadQueues.contains { $0.isExecuting }
        }
        if wrong { context.fail("in a task of dispatcher \(index), another one is current") }
      }
    }
    for thread in try threads.wait(forCount: 2, of: "tasks of dispatcher \(index)") {
      if let owner = owners.updateValue(index, forKey: thread), owner != index {
        context.fail("dispatchers \(owner) and \(index) share a thread")
      }
    }
    let names = Process.threadNames.filter { $0.hasPrefix(dispatcher.name) }
    context.expect(names.count >= 2, "dispatcher '\(dispatcher.name)' has 2 workers and its threads are \(names)")
    context.record("threads", 2)
  }
}

private func ownBackends(_ context: CheckContext) throws {
  // Each kind twice, all at work at once.
  let subjects = context.subjects + context.subjects
  let benches = try subjects.map { subject in try context.bench { $0.backend = subject.backend } }
  let received = context.recorder(of: Int.self)
  for (index, bench) in benches.enumerated() {
    context.expect(
      bench.dispatcher.backendIdentity == subjects[index].backend.identity,
      "a dispatcher on \(subjects[index].backend.identity) says that it is on \(bench.dispatcher.backendIdentity)")
  }
  // One descriptor, a source on each dispatcher.
  let ends = try benches[0].ends()
  for (index, bench) in benches.enumerated() {
    try bench.activeSource(ends.near, on: bench.dispatcher.global()) { event in
      event.suspend()
      received.append(index)
    }
  }
  ends.far.send([1])
  let all = try received.wait(forCount: benches.count, of: "sources of all dispatchers on one descriptor")
  context.expect(Set(all).count == benches.count, "of \(benches.count) dispatchers, \(Set(all).count) were told")
  for bench in benches { try bench.settle() }
  context.record("dispatchers on one descriptor", benches.count)
}

private func ownErrorHandlers(_ context: CheckContext) throws {
  let told = context.recorder(of: String.self)
  let dispatchers = try (0..<4).map { index in
    try context.makeDispatcher {
      $0.errorHandler = { told.append("\(index) \(($0.error as? UserError)?.number ?? -1)") }
    }
  }
  for (index, dispatcher) in dispatchers.enumerated() {
    dispatcher.global().async { throw UserError(number: index) }
    // From one dispatcher's task into another's queue: the error is the other's.
    let next = dispatchers[(index + 1) % dispatchers.count]
    dispatcher.global().async { next.makeSerialQueue(label: "").async { throw UserError(number: 10 + index) } }
  }
  let all = try told.wait(forCount: 8, of: "errors on four dispatchers")
  let wanted = (0..<4).flatMap { ["\($0) \($0)", "\(($0 + 1) % 4) \(10 + $0)"] }
  context.expect(all.sorted() == wanted.sorted(), "the error handlers were told \(all.sorted())")
  context.record("errors", all.count)
}

private func ownMetrics(_ context: CheckContext) throws {
  let busy = try context.bench()
  let idle = try context.bench()
  try idle.settle()
  context.pause(.milliseconds(2))
  let before = idle.dispatcher.metrics
  let ends = try busy.ends()
  let events = Tally()
  try busy.activeSource(ends.near, .write, on: busy.dispatcher.makeSerialQueue()) { _ in events.add() }
  try context.eventually("a busy dispatcher", { events.value > 500 })
  let after = idle.dispatcher.metrics
  for (former, latter) in zip(before, after) {
    context.expect(
      latter.waits - former.waits <= 20 && latter.steals == former.steals
        && latter.registrations == former.registrations,
      "while another dispatcher worked, an idle one's metrics went from \(former) to \(latter)")
  }
  context.expect(after.count == 2 && after.map(\.worker) == [0, 1], "metrics of 2 workers: \(after)")
  context.record("events beside an idle dispatcher", events.value)
}

private func oneEndsTheOtherGoesOn(_ context: CheckContext) throws {
  let steady = try context.bench()
  let ends = try steady.ends()
  let received = context.recorder(of: Received.self)
  let queue = steady.dispatcher.makeSerialQueue(label: "steady")
  try steady.activeSource(ends.near, on: queue) { _ in received.append(ends.near.receive()) }
  func expectGoingOn(_ circumstances: String) throws {
    let count = received.count
    ends.far.send([1])
    try received.wait(forCount: count + 1, of: "an event while another dispatcher \(circumstances)")
    let fired = context.latch()
    queue.asyncAfter(.milliseconds(1)) { fired.signal() }
    try fired.wait(for: "a timer while another dispatcher \(circumstances)")
    context.record("rounds beside another dispatcher")
  }
  let other = try context.makeDispatcher()
  let gates = try other.threadQueues.map { try context.hold($0) }
  try expectGoingOn("is stuck")
  let ended = context.latch()
  other.shutdown { _ in ended.signal() }
  try expectGoingOn("shuts down")
  for gate in gates { gate.open() }
  try ended.wait(for: "the other's shutdown")
  try expectGoingOn("has shut down")
  try other.restart()
  try expectGoingOn("has restarted")
  var loose: Dispatcher? = try Dispatcher(configuration: context.configuration())
  loose?.global().async {}
  loose = nil
  try expectGoingOn("is dropped")
}
