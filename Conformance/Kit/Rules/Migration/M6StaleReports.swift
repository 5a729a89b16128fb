import HawtDispatch

// M6, the part about a state that the handler has already drained, with the race decided: the report is held back between
// the kernel and the library until the handler has drained and ended.

func reportHeldBack(_ context: CheckContext) throws {
  // A worker of whose poller the report is held back cannot begin another round: what follows the handler must run in the
  // same one.
  let (bench, observer) = try context.observedBench(workers: 2) { $0.queueBudget = .seconds(100) }
  let queue = bench.dispatcher.makeSerialQueue(label: "drains")
  let pipe = try context.makePipe()
  let rounds = context.scaled(20, minimum: 5)
  let (round, empty) = (Shared<Round?>(nil), Tally())
  // Of the second wait that finds it ready: the first brings the handler, which drains only when the second is held. The
  // second may come before the handler has begun, on another worker; it is the last, for it takes the interest away.
  observer.atEndOfWait { reported in
    guard reported.contains(pipe.readEnd), let round = round.with({ $0 }), round.reports.add() == 2 else { return }
    round.report.pass()
  }
  let source = bench.dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
    guard let round = round.with({ $0 }) else { return }
    round.hasBegun.add()
    round.handler.pass()
    if pipe.drain() == 0 { empty.add() }
    // Behind the handler: when it runs, that has ended.
    if round.hasBegun.value == 1 { queue.async { round.hasEnded.signal() } }
  }
  try source.activate()
  try bench.settle()
  for number in 1...rounds {
    let present = Round(context)
    round.with { $0 = present }
    pipe.write()
    try present.report.waitForArrivals()
    present.handler.open()
    try present.hasEnded.wait(for: "the end of handler \(number)")
    present.report.open()
    try bench.settle(queue)
    context.expect(source.deliveries == number, "\(number) bytes were reported \(source.deliveries) times")
  }
  observer.atEndOfWait(nil)
  source.cancel()
  context.expect(empty.value == 0, "\(empty.value) handlers found the descriptor drained")
  context.record("reports held back", rounds)
}

/// One byte: its handler waits for a further report, and that report for the handler's end.
private final class Round: Sendable {
  let hasBegun = Tally()
  let reports = Tally()
  let handler: Gate
  let report: Gate
  let hasEnded: Latch

  init(_ context: CheckContext) {
    handler = context.gate()
    report = context.gate()
    hasEnded = context.latch()
  }
}
