/// What an operation may have done once it is called.
extension HistoryModel {
  mutating func called(_ number: Int, _ operation: HistoryOperation, _ actor: HistoryActor) {
    var call = Call(operation: operation, by: actor, calledAt: position, phases: phases)
    if let source = operation.source.flatMap({ sources[$0] }) {
      call.wasActive = source.isActive || source.activating > 0
      call.wasCancelled = source.cancelled == .yes
    }
    calls[number] = call
    switch operation {
    case .submit(let queue): offer(number, Task(queue: queue, delay: nil, calledAt: position))
    case .arm(let queue, let delay): offer(number, Task(queue: queue, delay: delay, calledAt: position))
    case .disarm(let timer): tasks[timer]?.cancelsInFlight += 1
    case .suspend(let what): changeHolds(of: what) { $0.callSuspend(number) }
    case .resume(let what): changeHolds(of: what) { $0.callResume() }
    case .retarget(let queue, let target):
      completions[number] = Completion(queue: queue, target: target, calledAt: position)
      queues[queue].target.call(number, target, at: position)
      noteCycles()
    case .connect: lines[number] = Line()
    case .makeReader(let line, let queue, _): add(number, .reader(line), queue, to: line)
    case .makeWriter(let line, let queue, _): add(number, .writer(line), queue, to: line)
    case .makeRefused(let kind, let queue): add(number, .refused(kind), queue)
    case .makeMerger(let queue): add(number, .merger, queue)
    case .activate(let source):
      sources[source]?.activating += 1
      if case .refused = sources[source]?.kind { mayBeCancelled([source]) }
    case .move(let source, let queue): sources[source]?.target.call(number, queue, at: position)
    case .cancel(let source): mayBeCancelled([source])
    case .write(let line, let count): writes(line, count)
    case .fill(let line), .drain(let line): roomChanges(number, of: line)
    case .end(let line, let ending): endsFar(of: line, ending)
    case .close(let line):
      let own = lines[line]?.sources ?? []
      closings[line] = Closing(sources: own)
      mayBeCancelled(own)
    case .replace(let line, _, let predecessors):
      lines[line]?.isReplaced = .possibly
      let own = lines[line]?.sources ?? []
      // Those that stay are sources of the number still: it may be closed only after their cancel handlers, too.
      lines[number] = Line(sources: predecessors == .suspended ? own : [])
      // Whoever finds out that the file of such a source is gone may cancel it, with an error (S6).
      mayBeCancelled(own)
      if predecessors == .suspended { for name in own { sources[name]?.holds.callSuspend(number) } }
    case .merge(let source): sources[source]?.elements.append(Element(number: number, calledAt: position))
    case .fail: if case .task(let task) = actor { tasks[task]?.willThrow = true }
    case .shutDown(let isPatient): closing(patiently: isPatient)
    case .restart: enter(phases.union([.running]))
    case .take, .dawdle, .meet: break
    }
  }

  private mutating func offer(_ number: Int, _ task: Task) {
    tasks[number] = task
    waiting.insert(number)
  }

  private mutating func add(_ number: Int, _ kind: SourceKind, _ queue: QueueName, to line: Int? = nil) {
    sources[number] = Source(kind: kind, target: Register(queue))
    if let line { lines[line]?.sources.append(number) }
  }

  private mutating func mayBeCancelled(_ names: [Int]) {
    for name in names where sources[name]?.cancelled == .no { sources[name]?.cancelled = .possibly }
  }

  mutating func changeHolds(of what: Holdable, _ body: (inout Holds) -> Void) {
    switch what {
    case .queue(let number): body(&queues[number].holds)
    case .source(let number): if sources[number] != nil { body(&sources[number]!.holds) }
    }
  }

  mutating func enter(_ new: Set<Phase>) {
    phases = new
    for number in calls.keys { calls[number]?.phases.formUnion(new) }
  }
}

/// What it must have done when it returns, and which outcomes some moment between explains.
extension HistoryModel {
  mutating func returned(_ number: Int, _ outcome: HistoryOutcome) throws {
    noteCycles()
    guard let call = calls.removeValue(forKey: number) else {
      throw Rejection("step \(number) returned without having been called")
    }
    try require(call.operation.canCome(to: outcome), "\(call.operation.rule): '\(call.operation)' came to: \(outcome)")
    switch call.operation {
    case .submit: try submitted(number, call, outcome)
    case .arm: try armed(number, call, outcome)
    case .disarm(let timer): try disarmed(timer, call, outcome)
    case .suspend(let what): conclude(Change(number: number, what: .hold(what)))
    case .resume(let what): changeHolds(of: what) { $0.returnResume() }
    case .retarget(let queue, _): try retargeted(number, queue, call, outcome)
    case .activate(let source): try activated(source, call, outcome)
    case .move(let source, _): try moved(number, source, call, outcome)
    case .cancel(let source): cancelled([source])
    case .write(let line, let count): wrote(line, count)
    case .fill(let line): try filled(line, call, outcome)
    case .drain(let line): if !call.isCrossed { lines[line]?.mayBeFull = false }
    case .end(let line, let ending): hasEndedFar(of: line, ending)
    case .close(let line):
      cancelled(lines[line]?.sources ?? [])
      closings[line]?.returnedAt = position
    case .replace(let line, _, let predecessors):
      lines[line]?.isReplaced = .yes
      let own = lines[line]?.sources ?? []
      if predecessors != .suspended { cancelled(own) }
      for name in own where predecessors == .suspended { conclude(Change(number: number, what: .hold(.source(name)))) }
    case .merge(let source): try merged(number, into: source, call, outcome)
    case .shutDown: enter(phases.contains(.closing) ? [.closing] : phases)
    case .restart:
      try require(outcome == .done, "L4: a stopped dispatcher did not start again: \(outcome)")
      enter([.running])
    case .connect, .makeReader, .makeWriter, .makeRefused, .makeMerger, .take, .dawdle, .fail, .meet: break
    }
  }

  private mutating func submitted(_ number: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    switch outcome {
    case .accepted:
      let isLegal = !call.by.isOutside || call.phases.contains(.running)
      try require(isLegal, "L3: k\(number) was accepted from outside after a shutdown")
      try require(tasks[number]?.mustBeRefused == false, "L3: k\(number) was accepted, and a shutdown lost it")
      tasks[number]?.acceptedAt = position
    default:
      try require(call.by.isOutside, "L3: running work could not submit k\(number): \(outcome)")
      try refuse(number, call, outcome)
    }
  }

  private mutating func armed(_ number: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    guard outcome == .accepted else { return try refuse(number, call, outcome) }
    try require(call.phases.contains(.running), "L3: timer k\(number) was accepted after a shutdown")
    tasks[number]?.acceptedAt = position
  }

  private mutating func refuse(_ number: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    try require(
      outcome == .refusedShutDown && call.phases != [.running], "L3: k\(number) was not accepted: \(outcome)")
    try require(tasks[number]?.hasStarted == false, "L3: k\(number) was refused, and started")
    tasks[number]?.isRefused = true
    waiting.remove(number)
  }

  private mutating func disarmed(_ timer: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    tasks[timer]?.cancelsInFlight -= 1
    guard let task = tasks[timer] else { return }
    if outcome == .disarmed(true) {
      try require(!task.hasStarted, "T3: k\(timer) has started, and its cancel says that it never will")
      try require(!task.isCommitted, "T3: a cancel of k\(timer) says that it will not start, another that it will")
      tasks[timer]?.isCancelled = true
      tasks[timer]?.mayBeDropped = call.phases != [.running]
      waiting.remove(timer)
    } else {
      let cannotStart = task.isRefused || task.isCancelled || task.discarded == .yes || task.delay == .never
      try require(!cannotStart || task.hasStarted, "T3: a cancel says that k\(timer) starts, which it cannot")
      tasks[timer]?.isCommitted = true
    }
  }

  private mutating func moved(_ number: Int, _ source: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    if outcome == .done {
      try require(call.phases.contains(.running), "M8: s\(source) was moved after a shutdown")
      sources[source]?.target.finish(number, at: position)
      return conclude(Change(number: number, what: .move(source)))
    }
    try require(isStopped(call, outcome), "M8: s\(source) could not be moved: \(outcome)")
    sources[source]?.target.remove(number)
  }

  func isStopped(_ call: Call, _ outcome: HistoryOutcome) -> Bool {
    outcome == .threw("stopped") && call.phases != [.running]
  }

  private mutating func activated(_ name: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    sources[name]?.activating -= 1
    guard let source = sources[name] else { return }
    switch outcome {
    case .done:
      try require(call.wasActive || !call.wasCancelled, "S7: s\(name) was activated after its cancel")
      if case .refused = source.kind {
        // Only the activation that tries the registration meets the error: of some that overlap one, perhaps the last
        // to return. A cancel or a shutdown may come before it.
        if call.phases != [.running] { sources[name]?.activatedBesideShutdown = true }
        let isCancelled = source.cancelled == .yes || calls.values.contains { $0.operation == .cancel(name) }
        let isExcused = source.activating > 0 || isCancelled || sources[name]?.activatedBesideShutdown == true
        try require(isExcused, "S6: s\(name) was registered, though the system refuses its descriptor")
      }
      sources[name]?.isActive = true
    case .threw("cancelled"): try require(source.cancelled != .no, "S7: s\(name) is called cancelled, and is not")
    case .threw("stopped"): try require(call.phases != [.running], "L3: s\(name) was refused by a running dispatcher")
    case .threw(let error):
      guard case .refused(let kind) = source.kind, error == kind.refusal else {
        throw Rejection("S6: s\(name) could not be activated: \(error)")
      }
      sources[name]?.isActive = true
      cancelled([name])
    default: throw Rejection("S3: activating s\(name) came to \(outcome)")
    }
  }

  private mutating func cancelled(_ names: [Int]) {
    for name in names {
      sources[name]?.cancelled = .yes
      conclude(Change(number: name, what: .cancel(name)))
    }
  }
}

extension HistoryOperation {
  /// Whether an operation of this sort ever comes to that. Those that may come to different things are looked at one by
  /// one.
  fileprivate func canCome(to outcome: HistoryOutcome) -> Bool {
    switch self {
    case .submit, .arm, .retarget, .activate, .move, .merge, .restart, .fill: true
    case .disarm: outcome == .disarmed(true) || outcome == .disarmed(false)
    // Only what somebody is there to get is written, and it is little.
    case .write(_, let count): outcome == .wrote(count)
    case .suspend, .resume, .cancel, .shutDown, .connect, .makeReader, .makeWriter, .makeRefused, .makeMerger, .take,
      .drain, .end, .close, .replace, .dawdle, .fail, .meet:
      outcome == .done
    }
  }

  /// The rule that says what it comes to.
  fileprivate var rule: String {
    switch self {
    case .suspend, .resume: "L1"
    case .disarm: "T3"
    case .cancel, .close: "S7"
    case .replace: "S8"
    case .write, .drain, .end: "S5"
    case .connect, .makeReader, .makeWriter, .makeRefused: "S6"
    case .makeMerger: "C2"
    case .shutDown: "L3"
    default: "Q3"
    }
  }

  /// The source that it is about.
  fileprivate var source: Int? {
    switch self {
    case .activate(let source), .cancel(let source), .merge(let source), .move(let source, _): source
    default: nil
    }
  }
}
