/// What is owed when nothing goes on any more.
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
      guard completion.acceptedAt != nil, !completion.hasStarted, mustRun(completion.target)
      else { continue }
      found.append("M3: retarget \(number) never completed")
    }
    for (line, closing) in closings where closing.returnedAt != nil && !closing.hasStarted {
      if hasCancelled(closing) { found.append("S7: c\(line) was never closed, though every cancel handler has run") }
    }
    return found
  }

  func hasCancelled(_ closing: Closing) -> Bool {
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
}

extension HistoryModel.SourceKind {
  /// The rule that promises its deliveries.
  fileprivate var rule: String { if case .merger = self { "C1" } else { "S1" } }
}
