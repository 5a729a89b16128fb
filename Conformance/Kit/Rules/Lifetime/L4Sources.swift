import Glibc
import HawtDispatch

// L4, the part about sources that have no descriptor of the user's: timers, merging sources, signals.

/// One queue of each style, with the worker that its sources' handlers have to run on; nil: any.
private func places(_ dispatcher: Dispatcher) throws -> [(queue: any Queue, worker: Int?)] {
  let pinned = try dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[1])
  return [
    (dispatcher.threadQueues[0], 0), (pinned, 1),
    (try dispatcher.makeSerialQueue(label: "nested and pinned", target: pinned), 1),
    (dispatcher.makeSerialQueue(label: "unpinned"), nil), (dispatcher.global(), nil),
  ]
}

/// Beats go on in their phase; those that fell due meanwhile are told, merged, and none comes from a stopped dispatcher.
func timersLiveOn(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let threads = Shared<WorkerThreads?>(nil)
  let interval = Duration.milliseconds(2)
  let beating = try places(dispatcher).map { try Beating($0, dispatcher, interval, threads, context) }
  let single = context.recorder(of: Int.self)
  let rescheduled = dispatcher.makeTimerSource(target: beating[1].queue) { single.append($0.beats) }
  try rescheduled.activate()
  for round in 1...context.scaled(15, minimum: 4) {
    // Each life has its own threads.
    let current = try WorkerThreads(dispatcher, context)
    threads.with { $0 = current }
    for timer in beating { try timer.awaitDelivery("in life \(round)") }
    threads.with { $0 = nil }
    context.expect(dispatcher.shutdownAndWait().isClean, "stop \(round) was not clean")
    let before = beating.map(\.deliveries)
    // Scheduled meanwhile: it is due at the start of the next life.
    rescheduled.schedule(after: .zero)
    context.pause(interval * 3)
    context.expect(beating.map(\.deliveries) == before && single.count == round - 1, "a stopped dispatcher ran a timer")
    try dispatcher.restart()
    for timer in beating { try timer.awaitAllBeats("those included that fell due while it was stopped") }
    try single.wait(forCount: round, of: "the beat of a timer that was scheduled while it was stopped")
    context.record("timers that lived on", beating.count + 1)
  }
  context.expect(single.all.allSatisfy { $0 == 1 }, "single beats over restarts came as \(single.all)")
  rescheduled.cancel()
  for timer in beating { timer.source.cancel() }
}

/// A repeating timer, and what it has told.
private final class Beating: Sendable {
  let queue: any Queue
  let source: TimerSource
  private let context: CheckContext
  private let told = Tally()
  private let handled = Tally()
  private let start: Moment
  private let interval: Duration

  init(
    _ place: (queue: any Queue, worker: Int?), _ dispatcher: Dispatcher, _ interval: Duration,
    _ threads: Shared<WorkerThreads?>, _ context: CheckContext
  ) throws {
    self.context = context
    self.interval = interval
    queue = place.queue
    source = dispatcher.makeTimerSource(target: queue)
    start = TimerClock.continuous.now
    source.setEventHandler { [told, handled, start, worker = place.worker, label = queue.label] event in
      let all = told.add(event.beats)
      let due = Beating.due(start, interval)
      context.expect(all <= due, "on '\(label)', \(all) beats were told when \(due) had been due")
      // Unknown at the beginning of a life.
      if let worker, let current = threads.with({ $0 }) {
        context.expect(current.current == worker, "on '\(label)', a beat came on another worker after a restart")
      }
      handled.add()
    }
    source.schedule(after: interval, repeating: interval)
    try source.activate()
  }

  private static func due(_ start: Moment, _ interval: Duration) -> Int {
    Int((TimerClock.continuous.now - start).inNanoseconds / interval.inNanoseconds)
  }

  var deliveries: Int { handled.value }

  func awaitDelivery(_ when: String) throws {
    let before = deliveries
    try context.eventually("the timer on '\(queue.label)' beats \(when)") { deliveries > before }
  }

  /// Waits until it has told all that are due. These go on increasing, so that beats which are lost are never made up for.
  func awaitAllBeats(_ which: String) throws {
    try context.eventually("the timer on '\(queue.label)' has told all its beats, \(which)") {
      // Its phase began a little after the start.
      let due = Beating.due(start, interval) - 1
      return told.value >= due
    }
  }
}

/// Where what was merged is when the shutdown comes.
private enum MergedState: String, CaseIterable {
  case delivered
  case inactive = "not activated"
  case suspended
  case pending = "pending on a suspended queue"
  case withoutHandler = "without a handler"
}

/// What was accepted before the stop, and by running work during it, is delivered after the restart, as one; what was refused
/// meanwhile never is.
func mergingLivesOn(_ context: CheckContext) throws {
  for state in MergedState.allCases {
    for pinned in [false, true] {
      let dispatcher = try context.makeDispatcher(workers: 2)
      let queue = dispatcher.makeSerialQueue(label: "merged")
      if pinned { try context.move(queue, to: dispatcher.threadQueues[1]) }
      try mergeOverStops(context, dispatcher, queue, state)
    }
  }
}

private func mergeOverStops(
  _ context: CheckContext, _ dispatcher: Dispatcher, _ queue: SerialQueue, _ state: MergedState
) throws {
  let seen = context.recorder(of: Int.self)
  let residue = context.recorder(of: Int?.self)
  let source: MergingSource<Int, Int> = dispatcher.makeMergingSource(.sum, target: queue)
  if state != .withoutHandler { source.setEventHandler { seen.append($0) } }
  source.setCancelHandler { residue.append($0) }
  if state != .inactive { try source.activate() }
  if state == .suspended { source.suspend() }
  if state == .pending { queue.suspend() }
  let accepted = Tally()
  let merge: @Sendable (Int) -> Void = { [source] amount in
    if source.merge(amount).isAccepted { accepted.add(amount) }
  }
  for stop in 0..<2 {
    for number in 1...20 { merge(number) }
    let gate = context.gate()
    dispatcher.threadQueues[0].async {
      gate.pass()
      for number in 1...20 { merge(number * 1_000) }
    }
    try gate.waitForArrivals()
    let reports = context.recorder(of: ShutdownReport.self)
    // Something pending on a suspended queue is waited for until the deadline.
    dispatcher.shutdown(deadline: state == .pending ? .seconds(1) : .seconds(10)) { reports.append($0) }
    context.expect(source.merge(1_000_000) == .refused(.shutDown), "a merge from outside while it closes was accepted")
    gate.open()
    let report = try reports.wait(forCount: 1, of: "the shutdown's report")[0]
    context.expect(report.isClean, "with merges that were \(state.rawValue), stop \(stop) was not clean: \(report)")
    context.expect(source.merge(1_000_000) == .refused(.shutDown), "a stopped dispatcher accepted a merge")
    context.expect(
      state == .delivered || seen.count == 0, "what was merged while \(state.rawValue) was delivered: \(seen.all)")
    context.expect(accepted.value == (stop + 1) * 210_210, "running work could not merge: \(accepted.value)")
    try dispatcher.restart()
    for thread in dispatcher.threadQueues { try context.drain(thread) }
  }
  switch state {
  case .delivered: break
  case .inactive: try source.activate()
  case .suspended: source.resume()
  case .pending: queue.resume()
  case .withoutHandler: source.setEventHandler { seen.append($0) }
  }
  try context.eventually("what was merged while \(state.rawValue) is delivered after restarts (\(seen.all))") {
    seen.all.reduce(0, +) == accepted.value
  }
  context.expect(
    state == .delivered || seen.count == 1, "what was merged while \(state.rawValue) came after restarts as \(seen.all)"
  )
  // It is as alive as it was: one more delivery, and a residue.
  merge(5)
  try context.eventually("a merge after restarts is delivered") { seen.all.reduce(0, +) == accepted.value }
  source.suspend()
  merge(3)
  source.cancel()
  let left = try residue.wait(forCount: 1, of: "the cancel handler after restarts")
  try context.drain(queue)
  context.expect(left == [3], "3 was merged and not delivered; the residue is \(left)")
  let total = seen.all.reduce(0, +) + (left[0] ?? 0)
  context.expect(total == accepted.value, "\(accepted.value) was accepted, \(total) was seen")
  context.record("merging sources that lived on")
}

/// Signals that come while it is stopped are counted, and told after the restart.
///
/// In a process of its own: signals are the process's.
func signalsLiveOn(_ context: CheckContext) throws {
  signal(SIGUSR1, SIG_IGN)
  let dispatcher = try context.makeDispatcher(workers: 2)
  let places = try places(dispatcher)
  let counts = places.map { _ in Tally() }
  let workers = places.map { _ in Tally(-1) }
  let sources = places.indices.map { index in
    dispatcher.makeSignalSource(SIGUSR1, target: places[index].queue) { count in
      workers[index].set(Dispatcher.currentThreadQueue?.worker ?? -1)
      counts[index].add(count)
    }
  }
  for source in sources { try source.activate() }
  var raised = 0
  func raiseSome(_ number: Int) {
    // Directed to this thread, a signal has been handled when `raise` returns: none is merged with another.
    for _ in 0..<number { raise(SIGUSR1) }
    raised += number
  }
  for round in 1...context.scaled(15, minimum: 4) {
    raiseSome(2)
    try context.eventually("signals of life \(round) are told: \(counts.map(\.value)) of \(raised)") {
      counts.allSatisfy { $0.value == raised }
    }
    for (place, worker) in zip(places, workers) {
      if let pinned = place.worker {
        context.expect(worker.value == pinned, "a signal on '\(place.queue.label)' was told on worker \(worker.value)")
      }
    }
    sources[1].suspend()
    context.expect(dispatcher.shutdownAndWait().isClean, "stop \(round) was not clean")
    let before = raised
    raiseSome(3)
    context.pause(.milliseconds(2))
    context.expect(counts.allSatisfy { $0.value == before }, "a stopped dispatcher told of a signal")
    try dispatcher.restart()
    try context.eventually("signals from while it was stopped are told: \(counts.map(\.value)) of \(raised)") {
      counts.enumerated().allSatisfy { $0.offset == 1 || $0.element.value == raised }
    }
    context.expect(counts[1].value == before, "a restart forgot the suspension of a signal source")
    sources[1].resume()
    context.record("signals over restarts", 5)
  }
  try context.eventually("all signals are told") { counts.allSatisfy { $0.value == raised } }
  try context.settle(dispatcher)
  context.expect(
    counts.allSatisfy { $0.value == raised }, "\(raised) signals were told over restarts as \(counts.map(\.value))")
  for source in sources { source.cancel() }
}
