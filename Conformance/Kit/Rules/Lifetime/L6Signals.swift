import Glibc
import HawtDispatch

// L6, the part about signals: they are the process's, so all of it happens in a process of its own.

private func disposition(_ signal: CInt) -> Int {
  var action = sigaction()
  sigaction(signal, nil, &action)
  return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
}

func signalsReachEach(_ context: CheckContext) throws {
  let benches = try (0..<3).map { _ in try context.bench() }
  let ignored = 1
  // What was there before has to come back: not the default, which a careless registry would put there.
  signal(SIGUSR1, SIG_IGN)
  context.expect(disposition(SIGUSR1) == ignored, "the scenario could not set a disposition")
  for round in 0..<3 {
    try signalRound(context, benches)
    try context.eventually(
      "the former disposition is back after the last source, round \(round)", { disposition(SIGUSR1) == ignored })
    context.record("former dispositions that came back")
  }
  try badSignals(context, benches[0])
  try suspendedSignals(context, benches[0])
  try refusedSignals(context, benches[0])
}

/// An activation that is refused leaves nothing in the process's registry: the descriptor's number may be another's file by
/// then, to which each signal would be written.
private func refusedSignals(_ context: CheckContext, _ bench: Bench) throws {
  let ignored = 1
  try context.eventually("the former disposition is back", { disposition(SIGUSR1) == ignored })
  let ended = context.latch()
  let cancelled = bench.dispatcher.makeSignalSource(SIGUSR1, target: bench.dispatcher.global()) { _ in }
  cancelled.setCancelHandler { ended.signal() }
  try cancelled.activate()
  cancelled.cancel()
  try ended.wait(for: "the cancel handler of a signal source")
  try context.eventually("the former disposition is back after a cancel", { disposition(SIGUSR1) == ignored })
  context.expect(thrown { try cancelled.activate() } != nil, "a cancelled signal source was activated again")
  context.expect(disposition(SIGUSR1) == ignored, "a cancelled signal source took the signal again")
  let stopped = try context.makeDispatcher()
  let late = stopped.makeSignalSource(SIGUSR1, target: stopped.global()) { _ in }
  stopped.shutdownAndWait()
  context.expect(thrown { try late.activate() } != nil, "a signal source of a stopped dispatcher was activated")
  context.expect(disposition(SIGUSR1) == ignored, "a signal source that was refused keeps the signal")
  context.record("refused signal sources", 2)
}

private func signalRound(_ context: CheckContext, _ benches: [Bench]) throws {
  let counts = benches.map { _ in Tally() }
  let places = Tally()
  let foreign = Tally()
  let silent = benches[0].dispatcher.makeSignalSource(SIGUSR2, target: benches[0].dispatcher.global()) {
    foreign.add($0)
  }
  try silent.activate()
  let sources = benches.enumerated().map { index, bench in
    let queue = bench.dispatcher.makeSerialQueue(label: "signals")
    return bench.dispatcher.makeSignalSource(SIGUSR1, target: queue) { count in
      if !queue.isExecuting { places.add() }
      counts[index].add(count)
    }
  }
  for source in sources {
    context.expect(source.signal == SIGUSR1, "a source for SIGUSR1 says that it is for \(source.signal)")
    try source.activate()
    try source.activate()
  }
  for number in 1...5 {
    // To the process, and to one thread of it: to whom a signal is directed is not the sources' affair.
    if number % 2 == 0 { raise(SIGUSR1) } else { kill(getpid(), SIGUSR1) }
    try context.eventually(
      "signal \(number) is told to all three dispatchers", { counts.allSatisfy { $0.value >= number } })
  }
  for bench in benches { try bench.settle() }
  context.expect(counts.map(\.value) == [5, 5, 5], "5 signals, one at a time, were counted as \(counts.map(\.value))")
  let cancelled = context.latch()
  sources[1].setCancelHandler { cancelled.signal() }
  sources[1].cancel()
  try cancelled.wait(for: "the cancel handler of a signal source")
  kill(getpid(), SIGUSR1)
  try context.eventually(
    "the sources that were not cancelled are told", { counts[0].value == 6 && counts[2].value == 6 })
  for bench in benches { try bench.settle() }
  context.expect(counts[1].value == 5, "a cancelled signal source was told")
  context.expect(foreign.value == 0, "a source for SIGUSR2 was told of SIGUSR1")
  context.expect(places.value == 0, "\(places.value) handlers did not run on their queue")
  sources[0].cancel()
  sources[2].cancel()
  silent.cancel()
  context.record("signals", 6)
}

private func badSignals(_ context: CheckContext, _ bench: Bench) throws {
  for number in [0, -1, SIGKILL, SIGSTOP, 65, 1_000, CInt.max] {
    let source = bench.dispatcher.makeSignalSource(number, target: bench.dispatcher.global()) { _ in }
    let error = thrown { try source.activate() } as? SourceError
    context.expect(
      error == .invalidSignal(number), "a source for signal \(number): \(error.map { "\($0)" } ?? "no error")")
    context.record("invalid signals")
  }
}

private func suspendedSignals(_ context: CheckContext, _ bench: Bench) throws {
  let told = context.recorder(of: Int.self)
  let source = bench.dispatcher.makeSignalSource(SIGUSR1, target: bench.dispatcher.threadQueues[0]) { told.append($0) }
  try source.activate()
  source.suspend()
  for number in 1...4 {
    kill(getpid(), SIGUSR1)
    // One at a time: what the kernel itself merges, nobody can count.
    try bench.settle()
    context.expect(told.count == 0, "a suspended signal source was told \(number)")
  }
  source.resume()
  let all = try told.wait(forCount: 1, of: "the signals that came while suspended")
  try bench.settle(bench.dispatcher.threadQueues[0])
  context.expect(all.reduce(0, +) == 4, "4 signals while suspended came as \(all)")
  source.cancel()
  context.record("signals while suspended", 4)
}
