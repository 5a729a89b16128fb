import HawtDispatch

extension Rule {
  static let q10 = Rule(
    "Q10", "a thrown error reaches the dispatcher's handler with the queue's label; nothing else is harmed",
    why: "one faulty task must be seen, and must not take a worker with it",
    whereToLook: ["where a drain runs a job", "Configuration.errorHandler"],
    checks: [
      Check("each kind of queue, among tasks that do not throw", throwingTasks),
      Check("each kind of handler", throwingHandlers),
      Check("labels of any text", labelsOfAnyText),
      Check("the handler runs on the worker, and may submit", handlerRunsOnTheWorker),
      Check("without a handler the error goes to standard error", printedByDefault),
    ],
    scenarios: [Scenario("default handler", defaultHandler)])
}

private enum Fault: Error, Equatable {
  case number(Int)
}

private func throwingTasks(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let told = context.recorder(of: TaskFailure.self)
    let dispatcher = try context.makeDispatcher(workers: 2) { $0.errorHandler = { told.append($0) } }
    let queue = try kind.make(dispatcher, "throws")
    let count = context.scaled(1_500, minimum: 90)
    let ran = context.recorder(of: Int.self)
    let item = WorkItem { throw Fault.number(-1) }
    for number in 0..<count {
      if number % 3 == 2 { queue.async(item) }
      queue.async {
        ran.append(number)
        if number % 3 == 0 { throw Fault.number(number) }
      }
    }
    let order = try ran.wait(forCount: count, of: "tasks, some of which throw")
    context.expect(order == Array(0..<count), "\(kind): throwing tasks changed the order")
    let failures = try told.wait(forCount: 2 * (count / 3), of: "errors")
    let numbers = failures.compactMap { failure -> Int? in
      guard case .number(let number)? = failure.error as? Fault else { return nil }
      return number
    }
    context.expect(
      numbers.filter { $0 >= 0 } == Array(stride(from: 0, to: count, by: 3)),
      "\(kind): the handler was told \(numbers)")
    context.expect(numbers.count { $0 == -1 } == count / 3, "\(kind): errors of reusable items were lost")
    for failure in failures {
      context.expect(failure.queueLabel == queue.label, "the label told was '\(failure.queueLabel)'")
      context.expect(failure.kind == .task, "a task's error was said to be of kind \(failure.kind)")
    }
    context.record("errors told", failures.count)
  }
}

private func throwingHandlers(_ context: CheckContext) throws {
  let told = context.recorder(of: TaskFailure.self)
  let dispatcher = try context.makeDispatcher(workers: 2) { $0.errorHandler = { told.append($0) } }
  let queue = dispatcher.makeSerialQueue(label: "handlers")
  let pipe = try context.makePipe()
  queue.asyncAfter(.zero) { throw Fault.number(1) }
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
    _ = pipe.drain()
    throw Fault.number(2)
  }
  source.setCancelHandler { throw Fault.number(3) }
  try source.activate()
  let timer = dispatcher.makeTimerSource(target: queue) { _ in throw Fault.number(4) }
  timer.setCancelHandler { throw Fault.number(5) }
  timer.schedule(after: .zero)
  try timer.activate()
  let merging = dispatcher.makeMergingSource(.sum, target: queue) { (_: Int) in throw Fault.number(6) }
  merging.setCancelHandler { _ in throw Fault.number(7) }
  try merging.activate()
  merging.merge(1)
  // Each event twice: what threw must go on.
  for round in 1...2 {
    pipe.write()
    merging.merge(1)
    timer.schedule(after: .zero)
    try context.eventually("round \(round) of throwing handlers is told") {
      let errors = told.all.map(\.error)
      return [2, 4, 6].allSatisfy { number in
        errors.count { $0 as? Fault == .number(number) } >= round
      }
    }
  }
  source.cancel()
  timer.cancel()
  merging.cancel()
  try context.eventually("cancel handlers' errors are told") {
    [3, 5, 7].allSatisfy { number in told.all.contains { $0.error as? Fault == .number(number) } }
  }
  let kinds: [Int: TaskFailure.Kind] = [
    1: .timer, 2: .eventHandler, 3: .cancelHandler, 4: .eventHandler, 5: .cancelHandler, 6: .eventHandler,
    7: .cancelHandler,
  ]
  for failure in told.all {
    guard case .number(let number)? = failure.error as? Fault else {
      context.fail("an error that nobody threw was told: \(failure)")
      continue
    }
    // A timer source's handler is a timer's as well as an event's.
    let isRight = failure.kind == kinds[number] || (number == 4 && failure.kind == .timer)
    context.expect(isRight, "error \(number) was said to be of kind \(failure.kind)")
    context.expect(failure.queueLabel == "handlers", "error \(number) was told of queue '\(failure.queueLabel)'")
  }
  try context.drain(queue)
  context.record("errors of handlers told", told.count)
}

private func labelsOfAnyText(_ context: CheckContext) throws {
  let told = context.recorder(of: TaskFailure.self)
  let dispatcher = try context.makeDispatcher(workers: 1) { $0.errorHandler = { told.append($0) } }
  let labels = [
    "", "NUL \0 inside", "two\nlines", "Größe 🦅 und %s %n", String(repeating: "long ", count: 10_000),
  ]
  for label in labels {
    let queue = dispatcher.makeSerialQueue(label: label)
    context.expect(queue.label == label, "a label came back changed")
    queue.async { throw Fault.number(0) }
  }
  let failures = try told.wait(forCount: labels.count, of: "errors from queues with odd labels")
  for label in labels {
    context.expect(failures.contains { $0.queueLabel == label }, "a label was not told as given: \(label.prefix(20))")
  }
  context.record("odd labels told as given", labels.count)
}

private func handlerRunsOnTheWorker(_ context: CheckContext) throws {
  let done = context.latch(3)
  let dispatcher = try context.makeDispatcher(workers: 2) {
    $0.errorHandler = { failure in
      context.expect(Dispatcher.currentThreadQueue?.worker == 1, "the error handler ran on another thread")
      context.expect(failure.description.contains("pinned"), "the failure's text does not name its queue: \(failure)")
      // The handler is user code like any other: it may use queues.
      Dispatcher.currentThreadQueue?.async { done.signal() }
      done.signal()
    }
  }
  let queue = try dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[1])
  queue.async { throw Fault.number(1) }
  queue.async { done.signal() }
  try done.wait(for: "the error handler and what follows")
  context.record("handlers on the worker")
}

private func defaultHandler(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher { $0.errorHandler = nil }
  let queue = dispatcher.makeSerialQueue(label: "the queue's label")
  queue.async { throw Fault.number(4_711) }
  try context.drain(queue)
  context.record("errors left to the default handler")
}

private func printedByDefault(_ context: CheckContext) throws {
  let outcome = try context.runChild("default handler")
  context.expect(outcome.succeeded, "the process did not survive an error without a handler: \(outcome.excerpt)")
  context.expect(
    outcome.standardError.contains("the queue's label") && outcome.standardError.contains("4711"),
    "standard error does not tell label and error: \(outcome.excerpt)")
  context.record("errors printed by default")
}
