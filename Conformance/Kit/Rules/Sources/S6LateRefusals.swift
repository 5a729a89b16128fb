import Glibc
import HawtDispatch

// S6, the part about refusals that no caller of activate() can catch: a retarget moves a registration to another
// poller, and that poller's registration is refused.

func refusalAfterMigration(_ context: CheckContext) throws {
  let bench = try context.bench()
  let threads = bench.dispatcher.threadQueues
  for nested in [false, true] {
    let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: threads[0])
    let target: SerialQueue = nested ? try bench.dispatcher.makeSerialQueue(label: "inside", target: queue) : queue
    let bad = try bench.highEnd()
    let good = try bench.ends()
    let errors = context.recorder(of: SourceError.self)
    let places = context.recorder(of: Bool.self)
    let cancelled = context.latch()
    let received = context.recorder(of: Received.self)
    let source = bench.source(bad, on: target) { _ in context.noteClosedTold() }
    source.setErrorHandler { error in
      places.append(target.isExecuting && threads[1].isExecuting)
      errors.append(error)
    }
    source.setCancelHandler { cancelled.signal() }
    try source.activate()
    try bench.activeSource(good.near, on: target) { _ in received.append(good.near.receive()) }
    bad.close()
    try queue.setTarget(threads[1])
    try errors.wait(forCount: 1, of: "the refusal after a migration")
    try cancelled.wait(for: "the cancel handler after the refusal")
    context.expect(
      isRefusal(errors.all[0], of: bad.number, code: EBADF), "the error handler was told \(errors.all[0])")
    context.expect(places.all == [true], "the error handler did not run on the source's queue on its new thread")
    context.expect(source.isCancelled, "the source is not cancelled after the refusal")
    context.expect(source.registeredWorker == nil, "the refused source says that it is registered")
    good.far.send([1])
    try received.wait(forCount: 1, of: "the other source of the queue that moved")
    try queue.setTarget(threads[0])
    good.far.send([2])
    try received.wait(forCount: 2, of: "the other source after moving back")
    try bench.settle(target)
    context.expect(errors.count == 1 && cancelled.count == 0, "the refusal was told more than once: \(errors.all)")
    context.record("refusals after a migration")
  }
}

func refusalWithoutHandler(_ context: CheckContext) throws {
  let failures = context.recorder(of: TaskFailure.self)
  let bench = try context.bench { $0.errorHandler = { failures.append($0) } }
  let threads = bench.dispatcher.threadQueues
  let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: threads[0])
  let bad = try bench.highEnd()
  let cancelled = context.latch()
  let source = bench.source(bad, on: queue) { _ in context.noteClosedTold() }
  source.setCancelHandler { cancelled.signal() }
  try source.activate()
  bad.close()
  try queue.setTarget(threads[1])
  let failure = try failures.wait(forCount: 1, of: "the refusal, told to the dispatcher's error handler")[0]
  try cancelled.wait(for: "the cancel handler after the refusal")
  context.expect(failure.kind == .sourceError, "the dispatcher's error handler was told the kind \(failure.kind)")
  context.expect(
    failure.queueLabel == "moves", "the dispatcher's error handler was told the label \(failure.queueLabel)")
  context.expect(
    isRefusal(failure.error, of: bad.number, code: EBADF),
    "the dispatcher's error handler was told \(failure.error)")
  try bench.settle(queue)
  context.expect(failures.count == 1, "the refusal was told \(failures.count) times")
  context.record("refusals told to the dispatcher")
}

func limitOfTheSystem(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench()
  let threads = bench.dispatcher.threadQueues
  let steady = try bench.ends()
  let received = context.recorder(of: Received.self)
  try bench.activeSource(steady.near, on: threads[1]) { _ in received.append(steady.near.receive()) }
  let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: threads[0])
  let ends = try bench.ends()
  let number = ends.near.number
  let limited: @Sendable (Int, CInt) -> CInt? = { _, descriptor in descriptor == number ? ENOSPC : nil }

  observer.refuse(limited)
  let first = bench.source(ends.near, on: queue)
  let error = thrown { try first.activate() }
  context.expect(
    isRefusal(error, of: number, code: ENOSPC), "at a limit, activate() threw \(String(describing: error))")
  context.expect(first.isCancelled, "at a limit, the source is not cancelled")
  observer.refuse(nil)

  let errors = context.recorder(of: SourceError.self)
  let events = context.latch()
  let second = bench.source(ends.near, on: queue) { _ in
    ends.near.receiveAll()
    events.signal()
  }
  second.setErrorHandler { errors.append($0) }
  try second.activate()
  ends.far.send([1])
  try events.wait(for: "an event when the limit is gone")
  observer.refuse(limited)
  let moved = context.latch()
  try queue.setTarget(threads[1]) { _ in moved.signal() }
  try errors.wait(forCount: 1, of: "the refusal at the limit after a migration")
  try moved.wait(for: "the completion of a retarget whose source was refused")
  context.expect(
    isRefusal(errors.all[0], of: number, code: ENOSPC), "at a limit, the handler was told \(errors.all[0])")
  context.expect(second.isCancelled, "at a limit, the source that moved is not cancelled")
  steady.far.send([2])
  try received.wait(forCount: 1, of: "another source while one is at a limit")
  try bench.settle(queue)
  context.expect(errors.count == 1, "the refusal was told \(errors.count) times")
  context.record("refusals at a limit", 2)
}

/// A refusal that waits behind a suspension is owed over a restart, like the cancel handler that follows it, and is
/// nobody's task that a shutdown could discard.
func refusalIsOwed(_ context: CheckContext) throws {
  for hasHandler in [true, false] {
    let told = context.recorder(of: String.self)
    let bench = try context.bench { $0.errorHandler = { told.append("dispatcher's: \($0.kind) on \($0.queueLabel)") } }
    let threads = bench.dispatcher.threadQueues
    let queue = try bench.dispatcher.makeSerialQueue(label: "moves", target: threads[0])
    let bad = try bench.highEnd()
    let source = bench.source(bad, on: queue) { _ in context.noteClosedTold() }
    if hasHandler { source.setErrorHandler { _ in told.append("source's") } }
    source.setCancelHandler { told.append("cancel handler") }
    try source.activate()
    queue.suspend()
    bad.close()
    try queue.setTarget(threads[1])
    try context.eventually("the source is refused", within: .seconds(10)) { source.isCancelled }
    try context.settle(bench.dispatcher)
    let report = bench.dispatcher.shutdownAndWait(deadline: .milliseconds(50))
    context.expect(report.discardedTasks == 0, "no task was held, \(report.discardedTasks) are reported as discarded")
    try bench.dispatcher.restart()
    for thread in threads { try context.drain(thread) }
    context.expect(told.count == 0, "beside a suspended queue there was told: \(told.all)")
    queue.resume()
    try told.wait(forCount: 2, of: "the refusal and the cancel handler after a restart (\(told.all))")
    try context.drain(queue)
    let first = hasHandler ? "source's" : "dispatcher's: sourceError on moves"
    context.expect(told.all == [first, "cancel handler"], "after a restart there was told: \(told.all)")
    context.record("refusals owed over a restart")
  }
}

extension CheckContext {
  /// Only a backend that declares it may tell of a closed descriptor, until the migration takes it away from there.
  fileprivate func noteClosedTold() {
    guard subject.difference(inCheck: closedIsSilent, of: "B8") == nil else { return }
    fail("a closed descriptor was told ready")
  }
}

extension Bench {
  /// An end of a connection under a high number. Once it is closed nobody takes its number: not even the library, which
  /// may open a descriptor of its own when it finds out.
  fileprivate func highEnd() throws -> Descriptor {
    let ends = try ends()
    let high = keep(ends.near.duplicate(from: Process.highDescriptor))
    ends.near.close()
    return high
  }
}
