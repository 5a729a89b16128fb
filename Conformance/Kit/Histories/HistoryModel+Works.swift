/// Starting and ending.
extension HistoryModel {
  mutating func started(_ work: HistoryWork, on queue: QueueName, _ worker: Int) throws {
    try require(running[work] == nil, "S2: \(work) started while it ran")
    switch work {
    case .task(let number): try startTask(number, on: queue)
    case .handler(let source): try startHandler(source, on: queue)
    case .cancelHandler(let source): try startCancelHandler(source, on: queue)
    case .completion(let number): try startCompletion(number, on: queue)
    case .closing(let line): try startClosing(line, on: queue)
    }
    try place(work, on: queue, worker)
    switch work {
    case .task(let number):
      tasks[number]?.hasStarted = true
      waiting.remove(number)
    case .cancelHandler(let source): sources[source]?.cancelHandlerStarted = true
    case .completion(let number): completions[number]?.hasStarted = true
    case .closing(let line): closings[line]?.hasStarted = true
    case .handler(let source): sources[source]?.mayBeLate = false
    }
  }

  mutating func ended(_ work: HistoryWork) throws {
    guard let ended = running.removeValue(forKey: work) else { throw Rejection("Q2: \(work) ended without a start") }
    switch work {
    case .task(let number): if tasks[number]?.willThrow == true { failures.append(ended.queue) }
    case .cancelHandler(let source):
      try require(ended.hasTaken || !isMerger(source), "C1: the cancel handler of s\(source) was given no residue")
      sources[source]?.cancelHandlerEnded = true
    case .handler(let source):
      try require(ended.hasTaken || !isMerger(source), "C1: the handler of s\(source) was given nothing")
    case .completion(let number): try endCompletion(number)
    case .closing: break
    }
  }

  mutating func failed(_ queue: QueueName) throws {
    guard let index = failures.firstIndex(of: queue) else {
      throw Rejection("Q10: the error handler was told of an error on \(queue) that nobody threw")
    }
    failures.remove(at: index)
  }

  // MARK: Tasks

  private func startTask(_ number: Int, on queue: QueueName) throws {
    guard let task = tasks[number] else { throw Rejection("Q1: k\(number) ran, and nobody submitted it") }
    try require(!task.hasStarted, "Q1: k\(number) ran twice")
    try require(!task.isRefused, "L3: k\(number) was refused, and ran")
    try require(!task.isCancelled, "T3: k\(number) was cancelled, and ran")
    try require(task.discarded != .yes, "L3: k\(number) was given up by a shutdown, and ran")
    try require(task.delay != .never, "T1: k\(number) ran, long before it was due")
    try require(task.queue == queue, "Q7: k\(number) ran on \(queue), not on \(task.queue)")
    guard queue != .global else { return }
    for name in waiting where name != number {
      guard let other = tasks[name], other.queue == queue, precedes(other, task) else { continue }
      throw Rejection("\(task.delay == nil ? "Q1" : "T1"): k\(number) overtook k\(name) on \(queue)")
    }
  }

  /// Whether the order of two tasks of one queue is promised: submissions by their calls; timers, if the earlier is due
  /// no later. Nothing is promised between a submission and a timer.
  private func precedes(_ earlier: Task, _ later: Task) -> Bool {
    guard let accepted = earlier.acceptedAt, accepted < later.calledAt, earlier.cancelsInFlight == 0 else {
      return false
    }
    switch (earlier.delay, later.delay) {
    case (nil, nil): return true
    case (let first?, let second?): return first <= second
    default: return false
    }
  }

  // MARK: Sources

  private func isMerger(_ name: Int) -> Bool { if case .merger? = sources[name]?.kind { true } else { false } }

  func mayStart(handlerOf name: Int) -> Bool {
    guard let source = sources[name] else { return false }
    return running[.handler(name)] == nil && (source.isActive || source.activating > 0) && source.holds.least == 0
      && !source.cancelSettled && !source.cancelHandlerStarted && isReady(source, .possibly)
  }

  func mayStart(cancelHandlerOf name: Int) -> Bool {
    guard let source = sources[name] else { return false }
    return source.cancelled != .no && !source.cancelHandlerStarted && running[.handler(name)] == nil
  }

  private func startHandler(_ name: Int, on queue: QueueName) throws {
    guard let source = sources[name] else { throw Rejection("S3: the handler of an unknown source s\(name) ran") }
    try require(source.target.values.contains(queue), "M4: the handler of s\(name) ran on \(queue)")
    try require(!source.cancelHandlerStarted, "S7: the handler of s\(name) started after its cancel handler")
    try require(!source.cancelSettled, "S7: the handler of s\(name) started after its cancel")
    try require(source.isActive || source.activating > 0, "S3: the handler of s\(name) ran before its activation")
    try require(source.holds.least == 0, "L1: the handler of s\(name) started while it was suspended")
    try require(isReady(source, .possibly), "S1: the handler of s\(name) started, and nothing was ready")
  }

  private func startCancelHandler(_ name: Int, on queue: QueueName) throws {
    guard let source = sources[name] else { throw Rejection("S7: the cancel handler of an unknown s\(name) ran") }
    try require(source.target.values.contains(queue), "S7: the cancel handler of s\(name) ran on \(queue)")
    try require(source.cancelled != .no, "S7: the cancel handler of s\(name) ran, and nobody cancelled it")
    try require(!source.cancelHandlerStarted, "S7: the cancel handler of s\(name) ran twice")
    try require(running[.handler(name)] == nil, "S7: the cancel handler of s\(name) ran beside its handler")
  }

  private func startClosing(_ line: Int, on queue: QueueName) throws {
    guard let closing = closings[line] else { throw Rejection("S7: c\(line) was closed, and nobody asked for it") }
    try require(!closing.hasStarted, "S7: c\(line) was closed twice")
    try require(queue == .global, "S7: c\(line) was closed on \(queue), not on the queue that was named")
    for name in closing.sources {
      guard let source = sources[name] else { continue }
      try require(source.cancelHandlerEnded, "S7: c\(line) was closed before the cancel handler of s\(name) ended")
    }
  }

  // MARK: All

  /// The queues of everything that may start now, paths left aside.
  var startable: [QueueName] {
    var found = waiting.compactMap { tasks[$0]?.queue }
    for (name, source) in sources where mayStart(handlerOf: name) || mayStart(cancelHandlerOf: name) {
      found += source.target.values
    }
    found += completions.values.filter { !$0.hasStarted && !$0.isRefused }.map(\.target)
    return found
  }
}
