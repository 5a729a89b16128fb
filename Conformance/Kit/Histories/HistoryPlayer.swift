import Glibc
import HawtDispatch

/// What came of playing a history once.
struct HistoryPerformance: Sendable {
  let events: [HistoryEvent]
  /// Of a lockstep history: the trace in its one form, to be compared byte by byte.
  let lines: [String]
  let rejection: Rejection?
}

/// Plays one history on a stage, logs everything, and has the model read along.
final class HistoryPlayer: @unchecked Sendable {
  // Sound: constants; `things` is a lock's; `model`, `read`, `lines` and the bounds are only used by the thread that
  // plays.
  let stage: HistoryStage
  let history: History
  let log = HistoryLog()
  let queues: [SerialQueue]
  /// What tasks and handlers do, in order.
  let bodies: [HistoryActor: [HistoryStep]]
  private let script: [Int: HistoryStep]
  let things = Shared(Things())
  let patience: Duration
  private var model = HistoryModel()
  private var read = 0
  private var lines: [String] = []
  /// Numbers for what the history does not do itself.
  private let extraNumbers = Tally(100_000)

  /// What the steps have made.
  struct Things: Sendable {
    var readiness: [Int: ReadinessSource] = [:]
    var mergers: [Int: MergingSource<Int, [Int]>] = [:]
    var limits: [Int: Tally] = [:]
    var connections: [Int: HistoryConnection] = [:]
    var sourcesOfConnection: [Int: [Int]] = [:]
    var timers: [Int: TimerHandle] = [:]
    /// Returned suspends that nobody has ended: a resume takes one, or is passed over.
    var permits: [Holdable: Int] = [:]
    /// Sources whose handlers have run.
    var handlersRun: Set<Int> = []
    var isStopping = false
    var isStoppingPatiently = false
    var hasStopped = false
    var strays: [Descriptor] = []
  }

  init(_ history: History, on stage: HistoryStage, patience: Duration) {
    self.history = history
    self.stage = stage
    self.patience = patience
    queues = (0..<History.serialQueues).map { stage.dispatcher.makeSerialQueue(label: "q\($0)") }
    bodies = Dictionary(grouping: history.steps.filter { !$0.by.isOutside }, by: \.by)
    script = Dictionary(uniqueKeysWithValues: history.steps.map { ($0.number, $0) })
  }

  /// Plays it to its end, or until the model rejects something.
  func play() -> HistoryPerformance {
    stage.setFailureHandler { [log, stage] failure in
      // What a shutdown gives up stands in its report; an unpollable source's late refusal is seen by its cancel handler.
      guard failure.kind == .task || failure.kind == .timer else { return }
      log.append(.failed(queue: stage.name(ofLabel: failure.queueLabel) ?? .global))
    }
    var rejection: Rejection?
    do {
      try history.pace == .lockstep ? playInStep() : playRacing()
      try windUp()
    } catch {
      rejection = error as? Rejection ?? Rejection("the history could not be played: \(error)")
    }
    let events = Array(log.events(from: 0))
    if rejection == nil {
      stage.setFailureHandler(nil)
      closeDescriptors()
    }
    return HistoryPerformance(events: events, lines: lines, rejection: rejection)
  }

  func nextExtraNumber() -> Int { extraNumbers.add() }

  // MARK: HistoryPace

  private func playInStep() throws {
    for step in history.steps where step.by.isOutside {
      // What is resumed while the shutdown goes on may meet it or not.
      if step.operation == .shutDown(isPatient: true) { try resumeAll("\(step.number) resume") }
      try inStep("\(step.number)", isPlayable(step) ? [step] : [])
    }
  }

  /// Does some steps, comes to rest, and writes the trace of what happened between.
  private func inStep(_ name: String, _ steps: [HistoryStep]) throws {
    let first = log.count
    let pinned = pinnedWorkers
    stage.outside[0].begin { [self] in for step in steps { perform(step) } }
    try awaitCalls()
    try rest()
    guard history.pace == .lockstep else { return }
    let after = pinnedWorkers
    lines += LockstepTrace.lines(of: log.events(from: first), step: name, script: script) { queue in
      // A worker that chance chose is no part of the trace.
      pinned[queue] ?? nil != nil && after[queue] ?? nil != nil
    }
  }

  private var pinnedWorkers: [QueueName: Int?] {
    var found: [QueueName: Int?] = [.global: nil]
    for worker in 0..<History.workers { found[.thread(worker)] = worker }
    for queue in 0..<History.serialQueues { found[.serial(queue)] = model.pinnedWorker(of: .serial(queue)) }
    return found
  }

  /// A task that changes queues or sources is seen in one way only if it runs at once, and alone.
  private func isPlayable(_ step: HistoryStep) -> Bool {
    let isFree: Bool
    switch step.operation {
    case .submit(let queue): isFree = model.mustRun(queue) && model.phases == [.running]
    case .arm: isFree = false
    default: return true
    }
    return isFree || !(bodies[.task(step.number)] ?? []).contains { $0.operation.changesState }
  }

  private func playRacing() throws {
    var next = history.steps[...]
    while !next.isEmpty {
      let round = next.prefix { $0.operation != .meet }
      next = next.dropFirst(round.count).drop { $0.operation == .meet }
      let own = round.filter { $0.by == .outside(0) }
      let other = round.filter { $0.by == .outside(1) }
      let ready = Tally()
      for (thread, steps) in zip(stage.outside, [own, other]) {
        thread.begin { [self] in
          HistoryPlayer.meet(ready)
          for step in steps { perform(step) }
        }
      }
      try awaitCalls()
      try letShutdownFinish()
      try rest()
    }
  }

  /// A patient shutdown waits for all that is suspended, and what then runs may suspend a queue in its turn.
  private func letShutdownFinish() throws {
    func isHeld(_ things: Things) -> Bool { things.permits.contains { what, count in what.isQueue && count > 0 } }
    while things.with({ $0.isStopping && $0.isStoppingPatiently && !$0.hasStopped }) {
      guard things.wait(atMost: patience, until: { $0.hasStopped || isHeld($0) }) else { return }
      stage.outside[0].begin { [self] in for step in resumes({ $0.isQueue }) { perform(step) } }
      try awaitCalls()
    }
  }

  /// A resume for each suspend that has returned.
  private func resumes(_ isMeant: (Holdable) -> Bool = { _ in true }) -> [HistoryStep] {
    let permits = things.with { $0.permits }.filter { isMeant($0.key) }
    return permits.sorted { "\($0.key)" < "\($1.key)" }.flatMap { what, count in
      (0..<count).map { _ in extra(.resume(what)) }
    }
  }

  /// Waits until the outside threads have done their steps. A call may wait for a worker; one that a broken backend never
  /// wakes must not keep whoever judges it.
  private func awaitCalls() throws {
    for thread in stage.outside {
      guard thread.wait(atMost: patience * 2) else { throw Rejection("Q3: a call did not return") }
    }
  }

  /// Both threads begin at once: who is asleep would miss the race.
  private static func meet(_ ready: Tally) {
    ready.add()
    var turns = 0
    while ready.value < 2, turns < 1_000_000 {
      turns += 1
      if turns % 64 == 0 { sched_yield() }
    }
  }

  /// Ends what the history left open, so that all that it held has to come out.
  private func windUp() throws {
    try inStep("restart", things.with { $0.hasStopped } ? [extra(.restart)] : [])
    try resumeAll("resume")
    let (timers, sources) = things.with { ($0.timers, Array($0.readiness.keys) + Array($0.mergers.keys)) }
    let disarms = timers.keys.sorted().map { extra(.disarm(timer: $0)) }
    try inStep("cancel", disarms + sources.sorted().map { extra(.cancel($0)) })
    let left = stage.dispatcher.metrics.reduce(0) { $0 + $1.registrations }
    if left != 0 { log.append(.breach(.leftRegistrations(left))) }
    try readLog()
  }

  private func resumeAll(_ name: String) throws {
    // What comes out may suspend a queue in its turn; there are only so many tasks. A source may stay suspended.
    repeat {
      try inStep(name, resumes())
    } while things.with {
      $0.permits.contains { what, count in what.isQueue && count > 0 }
    }
  }

  private func extra(_ operation: HistoryOperation) -> HistoryStep {
    HistoryStep(number: nextExtraNumber(), by: .outside(0), operation: operation)
  }

  private func closeDescriptors() {
    let (connections, strays) = things.with { ($0.connections, $0.strays) }
    for connection in connections.values { connection.closeBoth() }
    for stray in strays { stray.close() }
  }

  /// After a history that failed, and the shutdown: the handlers of its sources hold the player, and would for as long as
  /// somebody might start the dispatcher again, which the player does. A descriptor that is still open is closed by
  /// whoever drops it last.
  func letGo() {
    let dropped = things.with { things in
      defer { things = Things() }
      return things
    }
    for source in dropped.readiness.values {
      source.setEventHandler { _ in }
      source.setCancelHandler {}
    }
    for source in dropped.mergers.values {
      source.setEventHandler { _ in }
      source.setCancelHandler { _ in }
    }
  }

  // MARK: Rest

  /// Waits, by counting what was logged, until nothing goes on and nothing is owed; and makes sure of it.
  private func rest() throws {
    let end = Moment.now
    while true {
      try readLog()
      guard model.owed.isEmpty else {
        let left = patience - end.elapsed
        if left > .zero, log.wait(forMoreThan: read, atMost: left) { continue }
        break
      }
      let count = read
      try passBoundaries()
      guard log.append(.boundary, ifCountIs: count), try askTargets() else { continue }
      try readLog()
      // What nobody is owed may begin at any time: the end of a source whose number has become another file's.
      if model.owed.isEmpty, log.append(.rest, ifCountIs: read) { return try readLog() }
    }
    log.append(.rest)
    try readLog()
  }

  private func readLog() throws {
    let new = log.events(from: read)
    for event in new {
      read += 1
      do { try model.read(event) } catch {
        throw (error as? Rejection).map { Rejection("\($0.reason) (event \(read - 1): \(event.line))") } ?? error
      }
    }
  }

  /// Has every worker run a task: whatever it had taken before has ended, and is in the log.
  private func passBoundaries() throws {
    guard model.phases == [.running] else { return }
    let passed = Shared(0)
    for queue in stage.dispatcher.threadQueues { queue.async { passed.with { $0 += 1 } } }
    let all = stage.dispatcher.threadQueues.count
    guard passed.wait(atMost: patience, until: { $0 == all }) else {
      throw Rejection("Q5: a task on a thread queue never ran")
    }
  }

  /// Asks the queues whose target cannot be told from the log.
  /// - Returns: false if something went on meanwhile.
  private func askTargets() throws -> Bool {
    try readLog()
    for (index, queue) in queues.enumerated() where model.queues[index].target.values.count > 1 {
      guard let target = stage.name(of: queue.target) else { continue }
      guard log.append(.target(index, target), ifCountIs: read) else { return false }
      try readLog()
    }
    return true
  }
}

extension HistoryOperation {
  /// Whether others notice when exactly it is done.
  var changesState: Bool {
    switch self {
    case .submit, .arm, .merge, .dawdle, .fail: false
    default: true
    }
  }
}
