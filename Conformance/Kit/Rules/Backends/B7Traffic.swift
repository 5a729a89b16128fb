import Glibc
import HawtDispatch

// B7, the part about a whole dispatcher at work while its workers are signalled without a pause.

/// Echoes everything, beside repeating timers and one-shots: every byte comes back in its place, every timer comes, none early,
/// and no beat is lost.
func trafficAmongSignals(_ context: CheckContext, workers: [UInt], _ bench: Bench) throws {
  let isOver = Tally()
  let storm = Thread {
    while isOver.value == 0 {
      for worker in workers { pthread_kill(pthread_t(worker), SIGUSR1) }
      sched_yield()
    }
  }
  defer {
    isOver.set(1)
    storm.join()
  }
  let targets = try bench.targets()
  let beats = try targets.map { try BeatCount(bench, on: $0.queue) }
  let echoes = try targets.enumerated().map { index, target in
    try Echo(bench, on: target.queue, index % 2 == 0 ? .tcp : .unixStream)
  }
  let oneShots = context.scaled(2_000, minimum: 100)
  let fired = context.latch(oneShots * targets.count)
  try context.onThreads(targets.count + 1) { index, random in
    if index < targets.count {
      try echoes[index].exchange(context.scaled(1_000_000, minimum: 60_000), &random, context)
      return
    }
    for number in 0..<oneShots {
      let delay = Duration.nanoseconds(random.below(3_000_000))
      for target in targets {
        let due = TimerClock.continuous.now.nanoseconds + delay.inNanoseconds
        target.queue.asyncAfter(delay) {
          if TimerClock.continuous.now.nanoseconds < due { context.fail("a signal made a timer early") }
          fired.signal()
        }
      }
      if number % 20 == 0 { context.pause(.microseconds(random.below(500))) }
    }
  }
  try fired.wait(for: "timers among signals")
  for timer in beats { try timer.judge(context) }
  for echo in echoes { try bench.cancelAndWait(echo.source) }
  context.record("timers among signals", oneShots * targets.count)
}

/// A repeating timer whose beats are counted.
private final class BeatCount: Sendable {
  private static let interval = Duration.milliseconds(2)
  private let source: TimerSource
  private let told: Tally
  /// The phase has begun by then.
  private let hasBegun: Moment
  private let label: String

  init(_ bench: Bench, on queue: any Queue) throws {
    let (told, context) = (Tally(), bench.context)
    self.told = told
    label = queue.label
    let start = TimerClock.continuous.now
    source = bench.dispatcher.makeTimerSource(target: queue) { event in
      let all = told.add(event.beats)
      let due = BeatCount.due(since: start)
      if all > due { context.fail("\(all) beats were told among signals when \(due) had been due") }
    }
    source.schedule(after: BeatCount.interval, repeating: BeatCount.interval)
    try source.activate()
    hasBegun = TimerClock.continuous.now
  }

  private static func due(since start: Moment) -> Int {
    Int((TimerClock.continuous.now - start).inNanoseconds / interval.inNanoseconds)
  }

  /// All that are due have been told: these go on increasing, so that beats which are lost are never made up for.
  func judge(_ context: CheckContext) throws {
    var due = 0
    try context.eventually("\(due) beats on '\(label)' are told among signals (\(told.value))") {
      due = BeatCount.due(since: hasBegun)
      return told.value >= due
    }
    source.cancel()
    context.record("beats among signals", due)
  }
}

/// A connection whose near end sends back what it reads.
private final class Echo: Sendable {
  let source: ReadinessSource
  private let ends: Ends
  private let name: String

  /// Less than any socket's buffers hold, so that what is sent is taken as a whole.
  private static let window = 4_096

  init(_ bench: Bench, on queue: any Queue, _ kind: Ends.Kind) throws {
    let ends = try bench.ends(kind)
    self.ends = ends
    name = "the echo on '\(queue.label)'"
    let context = bench.context
    source = try bench.activeSource(ends.near, on: queue) { _ in
      guard case .bytes(let bytes) = ends.near.receive(1_000) else {
        context.fail("a handler found nothing to read among signals")
        return
      }
      let sent = ends.near.send(bytes)
      if sent != bytes.count { context.fail("an echo of \(bytes.count) bytes was sent as \(sent)") }
    }
  }

  /// Sends `total` bytes, never more than a window ahead, and compares what comes back.
  func exchange(_ total: Int, _ random: inout SeededRandom, _ context: CheckContext) throws {
    var (sent, received) = (0, 0)
    var progress = Moment.now
    while received < total {
      if sent < total, sent - received < Echo.window {
        let count = min(1 + random.below(Echo.window - (sent - received)), total - sent)
        sent += max(0, ends.far.send((sent..<sent + count).map(Echo.byte)))
      }
      switch ends.far.receive() {
      case .bytes(let bytes):
        let expected = (received..<received + bytes.count).map(Echo.byte)
        try context.require(bytes == expected, "\(name): bytes came back in another order, after \(received)")
        received += bytes.count
        progress = .now
      case .wouldBlock:
        try context.require(
          progress.elapsed < context.patience, "\(name): of \(sent) bytes, \(received) came back among signals")
        var waiting = pollfd(fd: ends.far.number, events: Int16(POLLIN), revents: 0)
        poll(&waiting, 1, 10)
      case let other: throw CheckFailure("\(name): \(other) after \(received) bytes")
      }
    }
    context.record("bytes echoed among signals", total)
  }

  /// No two bytes within a window's reach of each other are mistaken: the period is a prime.
  private static func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index % 251) }
}
