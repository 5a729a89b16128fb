/// Retargets of queues: which of several wins, and what each one's completion says (rule M3).
///
/// They take effect one after the other, in an order that the log need not show. Whoever is superseded stands before
/// another one in that order; so of those that were called by then, one is the last, and is not superseded: an
/// *overtaker*.
extension HistoryModel {
  struct Completion: Sendable {
    let queue: Int
    let target: QueueName
    let calledAt: Int
    var acceptedAt: Int?
    var isRefused = false
    var hasStarted = false
    /// What the retarget came to: said once, by its completion.
    var hasSpoken = false
    /// Of one that was superseded: those of which one at least took effect after it.
    var overtakers: Set<Int>?
    /// Everything that starts from now on goes by this retarget, or by a later one.
    var isSettled = false
  }

  mutating func retargeted(_ number: Int, _ queue: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    if outcome == .done {
      try require(call.phases.contains(.running), "M8: q\(queue) was retargeted after a shutdown")
      try require(!call.mustCycle, "Q8: q\(queue) was retargeted into its own tree")
      completions[number]?.acceptedAt = position
      queues[queue].target.finish(number, at: position)
      // Its completion may have come before the call returned.
      if completions[number]?.isSettled == false { conclude(Change(number: number, what: .retarget(queue))) }
      return
    }
    let isExplained = outcome == .threw("cycle") ? call.mayCycle : isStopped(call, outcome)
    try require(isExplained, "Q8: q\(queue) could not be retargeted: \(outcome)")
    try require(completions[number]?.hasStarted == false, "M3: a refused retarget of q\(queue) completed")
    completions[number]?.isRefused = true
    queues[queue].target.remove(number)
    for (other, completion) in completions {
      guard let left = completion.overtakers?.subtracting([number]) else { continue }
      try require(!left.isEmpty, "M3: retarget \(other) was superseded by one that was refused")
      completions[other]?.overtakers = left
    }
  }

  func startCompletion(_ number: Int, on queue: QueueName) throws {
    guard let completion = completions[number] else { throw Rejection("M3: a completion of no retarget ran") }
    try require(!completion.hasStarted, "M3: retarget \(number) completed twice")
    try require(!completion.isRefused, "M3: retarget \(number) was refused, and completed")
    try require(completion.target == queue, "M3: retarget \(number) completed on \(queue), not on \(completion.target)")
  }

  mutating func completed(_ number: Int, _ isSuperseded: Bool) throws {
    guard let completion = completions[number], running[.completion(number)] != nil, !completion.hasSpoken else {
      throw Rejection("M3: what retarget \(number) came to was said twice, or not by its completion")
    }
    completions[number]?.hasSpoken = true
    guard isSuperseded else {
      // The queue has left the old place: what was taken there has run.
      lingering.removeAll { $0.number == number }
      return settleRetarget(number, of: completion.queue)
    }
    let overtakers = completions.filter { other, later in
      other != number && later.queue == completion.queue && !later.isRefused && later.overtakers == nil
        && later.acceptedAt ?? .max > completion.calledAt
    }
    try require(!overtakers.isEmpty, "M3: retarget \(number) is called superseded, and nothing overtook it")
    completions[number]?.overtakers = Set(overtakers.keys)
    forgetOvertaken(of: completion.queue)
  }

  func endCompletion(_ number: Int) throws {
    let hasSpoken = completions[number]?.hasSpoken == true
    try require(hasSpoken, "M3: the completion of retarget \(number) does not say what it came to")
  }

  mutating func settleRetarget(_ number: Int, of queue: Int) {
    completions[number]?.isSettled = true
    queues[queue].target.settle(number)
    forgetOvertaken(of: queue)
  }

  /// Whoever was overtaken leads nowhere any more, once that is so whichever one overtook it.
  private mutating func forgetOvertaken(of queue: Int) {
    for (number, completion) in completions where completion.queue == queue {
      guard let overtakers = completion.overtakers else { continue }
      if overtakers.allSatisfy({ completions[$0]?.isSettled == true }) { queues[queue].target.remove(number) }
    }
  }
}
