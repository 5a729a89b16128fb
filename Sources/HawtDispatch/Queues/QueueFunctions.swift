internal import Glibc

/// What the three kinds of queue have in common, for their public faces.
enum QueueFunctions {
  static func arm(
    _ core: QueueCore, _ delay: Duration, _ clock: TimerClock, _ leeway: Duration,
    _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle {
    _ = core.enter()
    guard core.servesTimers else { return .refused }
    let group = core.timers(clock)
    let timer =
      leeway > .zero ? LaxTimer(group: group, Job(run: task)) : OneShotTimer(group: group, Job(run: task))
    let isArmed = timer.arm(at: clock.deadline(after: delay), leeway: leeway.clampedNanoseconds)
    return isArmed ? TimerHandle(timer, of: core.dispatcher) : .refused
  }

  static func sync<Value: Sendable>(_ core: QueueCore, _ body: @Sendable () throws -> Value) throws -> Value {
    _ = core.dispatcher.enter(core.title)
    if let worker = Worker.current {
      let on = worker.currentQueue?.label ?? ""
      fatalError(
        "sync on queue '\(core.label)' was called on a worker, in queue '\(on)': waiting would hold the worker; "
          + "use async and continue in another task")
    }
    let result = SyncResult<Value>()
    // The closure does not outlive the block: the call lets go of it before it signals, and signals when it has run or
    // was let go of without running.
    try withoutActuallyEscaping(body) { body in
      try submit(SyncCall(result: result, body), to: core)
      result.waiter.wait()
    }
    guard let outcome = result.outcome else { throw DispatcherError.discarded(queue: core.label) }
    return try outcome.get()
  }

  private static func submit<Value: Sendable>(_ call: consuming SyncCall<Value>, to core: QueueCore) throws {
    let entry = Entry(call)
    if case .refused(let refusal) = core.submit(entry) {
      throw DispatcherError.refused(queue: core.label, refusal)
    }
  }

  static func assertExecuting(_ core: QueueCore, _ file: StaticString, _ line: UInt) {
    if !core.isExecuting { failAssertion(core, expected: true, file, line) }
  }

  static func assertNotExecuting(_ core: QueueCore, _ file: StaticString, _ line: UInt) {
    if core.isExecuting { failAssertion(core, expected: false, file, line) }
  }

  @inline(never)
  private static func failAssertion(
    _ core: QueueCore, expected: Bool, _ file: StaticString, _ line: UInt
  ) -> Never {
    let current = Worker.current?.currentQueue.map { "queue '\($0.label)'" } ?? "no queue (a foreign thread)"
    let text =
      expected
      ? "expected to run on queue '\(core.label)', but runs on \(current)"
      : "expected not to run on queue '\(core.label)', but does; the innermost queue is \(current)"
    fatalError(text, file: file, line: line)
  }
}

/// What a waiting `sync` gets. Written by the task, read after the waiter was signalled.
private final class SyncResult<Value: Sendable>: @unchecked Sendable {
  // Sound as Sendable: the waiter's lock orders the write before the read.
  let waiter = Waiter()
  var outcome: Result<Value, any Error>?
}

/// Runs the body of a `sync`; signals when it goes: after the body has run, or when it was discarded (rule L3).
private final class SyncCall<Value: Sendable>: Runnable {
  private let result: SyncResult<Value>
  private var body: (@Sendable () throws -> Value)?

  init(result: SyncResult<Value>, _ body: @escaping @Sendable () throws -> Value) {
    self.result = result
    self.body = body
  }

  override func execute(on worker: Worker, ticket: UInt) {
    guard let body else { return }
    self.body = nil
    do { result.outcome = .success(try body()) } catch { result.outcome = .failure(error) }
  }

  override func discard(ticket: UInt) -> Bool { true }

  deinit {
    body = nil
    result.waiter.signal()
  }
}
