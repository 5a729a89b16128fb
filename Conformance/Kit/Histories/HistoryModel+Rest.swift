/// What is owed when nothing goes on any more, and what a shutdown gives up.
extension HistoryModel {
  /// Everything that must still come before the history is at rest, each with the rule that promises it.
  var owed: [String] {
    var found = calls.map { "Q3: step \($0.key) (\($0.value.operation)) has not returned" }
    found += running.keys.map { "Q2: \($0) has not ended" }
    found += failures.map { "Q10: the error handler was not told of a task that threw on \($0)" }
    if phases == [.closing] { found.append("L3: the shutdown has not reported") }
    guard phases == [.running] else { return found }
    for number in waiting {
      guard let task = tasks[number], task.acceptedAt != nil, task.delay != .never, task.cancelsInFlight == 0,
        task.discarded == .no, mustRun(task.queue)
      else { continue }
      found.append("\(task.delay == nil ? "Q5" : "T1"): k\(number) never ran on \(task.queue)")
    }
    for (name, source) in sources { found += owed(by: source, name) }
    for (number, completion) in completions {
      guard completion.acceptedAt != nil, !completion.hasStarted, !completion.isForgotten, mustRun(completion.target)
      else { continue }
      found.append("M3: retarget \(number) never completed")
    }
    for (line, closing) in closings where closing.isOwed && !closing.hasStarted && !closing.isForgotten {
      if hasCancelled(closing) { found.append("S7: c\(line) was never closed, though every cancel handler has run") }
    }
    return found
  }

  private func hasCancelled(_ closing: Closing) -> Bool {
    closing.sources.allSatisfy { sources[$0]?.cancelHandlerEnded == true }
  }

  private func owed(by source: Source, _ name: Int) -> [String] {
    guard source.target.values.allSatisfy({ mustRun($0) }) else { return [] }
    if source.cancelled == .yes {
      return !source.cancelHandlerStarted ? ["S7: the cancel handler of s\(name) never ran"] : []
    }
    guard source.cancelled == .no, source.isActive, source.holds.most == 0, isReady(source, .yes) else { return [] }
    return ["\(source.kind.rule): the handler of s\(name) never ran, and something is ready"]
  }

  mutating func rest() throws {
    settleAll()
    if let first = owed.sorted().first { throw Rejection(first) }
    for name in sources.keys {
      guard let elements = sources[name]?.elements else { continue }
      for index in elements.indices where elements[index].acceptedAt != nil && !elements[index].isDelivered {
        sources[name]?.elements[index].isOverdue = true
      }
    }
  }

  /// A shutdown is over: what was accepted and has not started is given up.
  mutating func reported(_ discarded: Int, _ dropped: Int, _ stuck: Int) throws {
    try require(phases.contains(.closing), "L3: a shutdown reported that nobody asked for")
    try require(running.isEmpty, "L3: the shutdown reported while something ran")
    var certain = 0
    var possible = 0
    var timers = 0
    var late = 0
    for number in waiting {
      guard let task = tasks[number] else { continue }
      let isCertain = task.acceptedAt != nil && task.cancelsInFlight == 0
      certain += isCertain ? 1 : 0
      possible += 1
      timers += task.delay == nil ? 0 : 1
      late += isCertain && task.delay == .never ? 1 : 0
      tasks[number]?.discarded = isCertain ? .yes : .possibly
    }
    let ambiguous = tasks.values.count { $0.mayBeDropped }
    possible += ambiguous
    timers += ambiguous
    // Completions, and joint handlers that wait for nothing any more, are jobs in their queues like any other.
    for (number, completion) in completions where !completion.hasStarted && !completion.isRefused {
      possible += 1
      completions[number]?.isForgotten = true
    }
    for (line, closing) in closings where !closing.hasStarted && hasCancelled(closing) {
      possible += 1
      closings[line]?.isForgotten = true
    }
    let total = discarded + dropped
    try require(
      certain <= total && total <= possible,
      "L3: \(certain == possible ? "" : "from \(certain) to ")\(possible) tasks were accepted and did not run, \(total) are reported"
    )
    try require(
      late <= dropped && dropped <= timers, "L3: \(dropped) timers are reported as dropped, \(late) to \(timers) pended"
    )
    // One that the deadline overtook may be on its way out of a task; where nothing was held there is no deadline.
    try require(stuck == 0 || total > 0, "L3: \(stuck) threads are called stuck, and no task was")
    // A cancel handler comes once, and so is kept for a restart (rule L4).
    for number in tasks.keys { tasks[number]?.mayBeDropped = false }
    waiting = waiting.filter { tasks[$0]?.discarded == .possibly }
    enter([.stopped])
  }
}

extension HistoryModel.SourceKind {
  /// The rule that promises its deliveries.
  fileprivate var rule: String { if case .merger = self { "C1" } else { "S1" } }
}
