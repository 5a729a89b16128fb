import HawtDispatch

// S4, the part about CPU: a source that cannot be told now must not keep a poller awake, whatever the kernel reports
// for its descriptor, and its neighbour on the same descriptor works as if it were alone.

/// Why a source is not told of what is ready.
private enum Idleness: String, CaseIterable {
  case suspended
  case pending = "pending on a suspended queue"
  case targetSuspended = "pending on a queue nested in a suspended one"
}

/// What the peer does, and what the kernel then reports.
private enum Weather: String, CaseIterable {
  case data = "data"
  case hangUp = "a hang-up"
  case halfClose = "a half-close"
  case reset = "a reset"

  /// The kind of connection on which this happens: a TCP connection hangs up only when both ends have closed.
  var kind: Ends.Kind { self == .hangUp ? .unixStream : .tcp }
}

func idleOneCostsNothing(_ context: CheckContext) throws {
  let bench = try context.bench()
  for idleness in Idleness.allCases {
    for weather in Weather.allCases {
      for pinned in [true, false] {
        try idleSourceAlone(bench, idleness, weather, pinned: pinned)
        try idleSourceBesideAWriter(bench, idleness, weather, pinned: pinned)
      }
    }
  }
}

/// A source that was made idle, and how to make it lively again.
private struct IdleSource {
  let source: ReadinessSource
  let told: Recorder<Received>
  let revive: () -> Void
}

private func makeIdle(
  _ bench: Bench, _ descriptor: Descriptor, _ idleness: Idleness, pinned: Bool
) throws -> IdleSource {
  let threads = bench.dispatcher.threadQueues
  let outer = try bench.dispatcher.makeSerialQueue(
    label: "outer", target: pinned ? threads[0] : bench.dispatcher.global())
  let inner = try bench.dispatcher.makeSerialQueue(label: "inner", target: outer)
  let told = bench.context.recorder(of: Received.self)
  let source = try bench.activeSource(descriptor, on: inner) { event in
    told.append(descriptor.receive())
    // A hang-up stays ready for ever: one event is all that is wanted here.
    event.suspend()
  }
  switch idleness {
  case .suspended:
    source.suspend()
    return IdleSource(source: source, told: told) { source.resume() }
  case .pending:
    inner.suspend()
    return IdleSource(source: source, told: told) { inner.resume() }
  case .targetSuspended:
    outer.suspend()
    return IdleSource(source: source, told: told) { outer.resume() }
  }
}

private func apply(_ weather: Weather, to ends: Ends) {
  switch weather {
  case .data: ends.far.send([1])
  case .hangUp: ends.far.close()
  case .halfClose: ends.far.shutDownWriting()
  case .reset:
    ends.far.resetOnClose()
    ends.far.close()
  }
}

private func idleSourceAlone(_ bench: Bench, _ idleness: Idleness, _ weather: Weather, pinned: Bool) throws {
  let context = bench.context
  let ends = try bench.ends(weather.kind)
  let idle = try makeIdle(bench, ends.near, idleness, pinned: pinned)
  apply(weather, to: ends)
  try bench.settle()
  context.expect(idle.told.count == 0, "a source that is \(idleness.rawValue) was told of \(weather.rawValue)")
  bench.expectCalm("\(weather.rawValue) on a source that is \(idleness.rawValue), pinned: \(pinned)")
  idle.revive()
  try idle.told.wait(forCount: 1, of: "\(weather.rawValue) after the source was \(idleness.rawValue)")
  bench.expectCalm("\(weather.rawValue) on a source that suspended itself in its handler, pinned: \(pinned)")
  try bench.cancelAndWait(idle.source)
  bench.forget(ends)
}

private func idleSourceBesideAWriter(
  _ bench: Bench, _ idleness: Idleness, _ weather: Weather, pinned: Bool
) throws {
  let context = bench.context
  let ends = try bench.ends(weather.kind)
  ends.near.fill()
  let idle = try makeIdle(bench, ends.near, idleness, pinned: pinned)
  let written = context.recorder(of: Interest.self)
  let writer = try bench.activeSource(ends.near, .write, on: bench.dispatcher.threadQueues[1]) { event in
    written.append(event.readiness)
    event.suspend()
  }
  apply(weather, to: ends)
  try bench.settle()
  let circumstances =
    "\(weather.rawValue) on a reader that is \(idleness.rawValue), a writer beside it, pinned: \(pinned)"
  switch weather {
  case .data, .halfClose:
    context.expect(written.count == 0, "\(circumstances): the writer was told though there is no room")
    bench.expectCalm(circumstances)
    ends.far.receiveAll()
  case .hangUp, .reset:
    // Errors and hang-ups are readiness for the writer too, and it must not have to wait for the reader.
    break
  }
  try written.wait(forCount: 1, of: "the writer's event: \(circumstances)")
  try bench.settle()
  context.expect(written.all == [.write], "\(circumstances): the writer was told \(written.all)")
  bench.expectCalm(circumstances + ", the writer suspended too")
  context.expect(idle.told.count == 0, "\(circumstances): the idle reader was told")
  idle.revive()
  try idle.told.wait(forCount: 1, of: "the reader's event: \(circumstances)")
  try bench.cancelAndWait(idle.source)
  try bench.cancelAndWait(writer)
  context.record("idle sources beside a writer")
  bench.forget(ends)
}
