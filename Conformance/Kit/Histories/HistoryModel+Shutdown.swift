/// What a shutdown runs, what it gives up, and what it says of that (rule L3).
///
/// Before its deadline it gives up nothing but timers. A patient one has all the time that it needs, and everything that
/// is held is let go of meanwhile; one in a hurry reports in time where nothing is held.
extension HistoryModel {
  /// A shutdown that was asked for and has not reported.
  struct Shutdown: Sendable {
    let isPatient: Bool
    let calledAt: Int
    /// The workers that have run something since: no other thread can have been held by a task.
    var busyWorkers: Set<Int>

    /// Whether what a call caused may have come when all had been drained already.
    func mayHaveMissed(callThatReturnedAt returnedAt: Int?) -> Bool { returnedAt ?? .max > calledAt }
  }

  mutating func closing(patiently isPatient: Bool) {
    shutdown = Shutdown(
      isPatient: isPatient, calledAt: position, busyWorkers: Set(running.values.map(\.worker)))
    enter(phases.union([.closing]))
  }

  /// How many there may be, at least and at most.
  private struct Count {
    var least = 0
    var most = 0

    mutating func add(isCertain: Bool) {
      least += isCertain ? 1 : 0
      most += 1
    }

    func allows(_ number: Int) -> Bool { least <= number && number <= most }
    var text: String { least == most ? "\(most)" : "\(least) to \(most)" }
  }

  /// A shutdown is over: what was accepted and has not started is given up.
  mutating func reported(_ discarded: Int, _ dropped: Int, _ stuck: Int, _ isInTime: Bool) throws {
    guard phases.contains(.closing), let ending = shutdown else {
      throw Rejection("L3: a shutdown reported that nobody asked for")
    }
    try require(running.isEmpty, "L3: the shutdown reported while something ran")
    if ending.isPatient || isInTime { try requireNothingLeft(by: ending, discarded, stuck) }
    let busy = ending.busyWorkers.count
    try require(stuck <= busy, "L3: \(stuck) threads are called stuck, and \(busy) ran anything")
    try account(for: discarded, dropped)
    // A cancel handler comes once, and so is kept for a restart (rule L4).
    for number in tasks.keys { tasks[number]?.mayBeDropped = false }
    waiting = waiting.filter { tasks[$0]?.discarded == .possibly }
    shutdown = nil
    enter([.stopped])
  }

  /// There was time for everything that had been accepted.
  private mutating func requireNothingLeft(by ending: Shutdown, _ discarded: Int, _ stuck: Int) throws {
    try require(stuck == 0, "L3: \(stuck) threads are called stuck before the deadline")
    for number in waiting where tasks[number]?.delay == nil {
      try require(tasks[number]?.acceptedAt == nil, "L3: k\(number) was given up before the deadline")
      tasks[number]?.mustBeRefused = true
    }
    try require(discarded == 0, "L3: \(discarded) tasks were discarded before the deadline")
    // Completions and joint handlers are promised, not submitted: who asks when all has been drained is answered after a
    // restart (rule L4).
    for (number, completion) in completions where !completion.hasStarted && !completion.isRefused {
      let mayBeLate = ending.mayHaveMissed(callThatReturnedAt: completion.acceptedAt)
      try require(mayBeLate, "L3: the completion of retarget \(number) was put off before the deadline")
    }
    for (line, closing) in closings where !closing.hasStarted && hasCancelled(closing) {
      let mayBeLate = ending.mayHaveMissed(callThatReturnedAt: closing.returnedAt)
      try require(mayBeLate, "L3: the closing of c\(line) was put off before the deadline")
    }
  }

  /// Whatever has not run must be among what was given up, and nothing else.
  private mutating func account(for discarded: Int, _ dropped: Int) throws {
    // A timer that was due may have become a task of its queue; one that is an hour off cannot.
    var tasksLeft = Count()
    var timersLeft = Count()
    var all = Count()
    for number in waiting {
      guard let task = tasks[number] else { continue }
      let isCertain = task.acceptedAt != nil && task.cancelsInFlight == 0
      try require(!task.isCommitted, "T3: a cancel said that k\(number) starts, and a shutdown gave it up")
      all.add(isCertain: isCertain)
      if task.delay != nil { timersLeft.add(isCertain: isCertain && task.delay == .never) }
      if task.delay != .never { tasksLeft.add(isCertain: isCertain && task.delay == nil) }
      tasks[number]?.discarded = isCertain ? .yes : .possibly
    }
    for task in tasks.values where task.mayBeDropped {
      all.add(isCertain: false)
      timersLeft.add(isCertain: false)
      if task.delay != .never { tasksLeft.add(isCertain: false) }
    }
    let total = discarded + dropped
    try require(all.allows(total), "L3: \(all.text) tasks were accepted and did not run, \(total) are reported")
    try require(
      timersLeft.allows(dropped), "L3: \(dropped) timers are reported as dropped, \(timersLeft.text) pended")
    try require(
      tasksLeft.allows(discarded), "L3: \(discarded) tasks are reported as discarded, \(tasksLeft.text) waited")
  }
}
