import HawtDispatch

extension Rule {
  /// S3: nothing before activation, everything after.
  static let s3 = Rule(
    "S3",
    "Inactive at creation; registered on activation, not before; readiness that was there before is delivered.",
    why: "Handlers are set after creation: an event that came earlier would find none, and one that was there before "
      + "activation must not be lost to an edge.",
    whereToLook: ["Sources/HawtDispatch/Sources (inactive, registering)"],
    checks: [
      Check("a source that is not activated is in no poller and runs nothing", nothingBeforeActivation),
      Check("what was ready before is told after activation", earlierReadinessIsTold),
      Check("suspend and resume before activation register nothing", suspensionBeforeActivation),
      Check("a bad descriptor is no error before activation", badDescriptorIsNoErrorYet),
      Check("activating twice has no effect", activatedTwice),
      Check("what is ready waits for a handler that is set later", handlerSetLater),
    ])
}

private func nothingBeforeActivation(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    ends.far.send([1])
    try bench.settle()
    let registrations = bench.registrations
    let events = Tally()
    let source = bench.source(ends.near, [.read, .write], on: target.queue) { _ in events.add() }
    try bench.settle(target.queue)
    context.expect(source.registeredWorker == nil, "on \(target.name), a source was registered at its creation")
    context.expect(
      bench.registrations == registrations, "on \(target.name), a poller got a registration from an inactive source")
    try source.setTarget(target.queue)
    try bench.settle(target.queue)
    context.expect(source.registeredWorker == nil, "on \(target.name), setTarget registered an inactive source")
    context.expect(events.value == 0, "on \(target.name), an inactive source told of readiness")
    ends.far.close()
    try bench.settle(target.queue)
    context.expect(events.value == 0, "on \(target.name), an inactive source told of a hang-up")
    bench.expectCalm("with an inactive source on a ready descriptor")
    context.record("inactive sources")
  }
}

private func earlierReadinessIsTold(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    ends.far.send([7])
    try bench.settle()
    let registrations = bench.registrations
    let received = context.recorder(of: Received.self)
    let source = bench.source(ends.near, on: target.queue) { _ in received.append(ends.near.receive()) }
    try source.activate()
    context.expect(source.registeredWorker != nil, "on \(target.name), activate() returned and nothing is registered")
    context.expect(
      bench.registrations == registrations + 1,
      "on \(target.name), activation made \(bench.registrations - registrations) registrations instead of one")
    try received.wait(forCount: 1, of: "a byte that was there before activation, on \(target.name)")
    try bench.settle(target.queue)
    context.expect(received.all == [.bytes([7])], "on \(target.name), the byte was seen as \(received.all)")
    context.record("earlier bytes")
    try bench.cancelAndWait(source)
  }
}

private func handlerSetLater(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    let source = bench.dispatcher.makeReadSource(ends.near.number, target: target.queue)
    try source.activate()
    ends.far.send([7])
    try bench.settle(target.queue)
    bench.expectCalm("with a ready source that has no handler")
    context.expect(source.deliveries == 0, "on \(target.name), a source without a handler counts \(source.deliveries)")
    let received = context.recorder(of: Received.self)
    source.setEventHandler { _ in received.append(ends.near.receive()) }
    try received.wait(forCount: 1, of: "what was ready before there was a handler, on \(target.name)")
    ends.far.send([8])
    try received.wait(forCount: 2, of: "what came after, on \(target.name)")
    context.expect(
      received.all == [.bytes([7]), .bytes([8])], "on \(target.name), the bytes were seen as \(received.all)")
    context.record("handlers set later")
    try bench.cancelAndWait(source)
  }
}

private func suspensionBeforeActivation(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    ends.far.send([7])
    let received = context.recorder(of: Received.self)
    let source = bench.source(ends.near, on: target.queue) { _ in received.append(ends.near.receive()) }
    source.suspend()
    source.suspend()
    source.resume()
    try bench.settle(target.queue)
    context.expect(source.registeredWorker == nil, "on \(target.name), resume() registered an inactive source")
    try source.activate()
    try bench.settle(target.queue)
    context.expect(
      received.count == 0, "on \(target.name), a source that was suspended before activation told of readiness")
    bench.expectCalm("with an activated, suspended source on a ready descriptor")
    source.resume()
    try received.wait(forCount: 1, of: "the event after the last resume, on \(target.name)")
    context.record("sources suspended before activation")
    try bench.cancelAndWait(source)
  }
}

private func badDescriptorIsNoErrorYet(_ context: CheckContext) throws {
  let bench = try context.bench()
  for number: CInt in [-1, CInt.max] {
    let source = bench.dispatcher.makeReadSource(number, target: bench.dispatcher.threadQueues[0])
    source.suspend()
    source.resume()
    try bench.settle()
    context.expect(!source.isCancelled, "a source on descriptor \(number) was cancelled before its activation")
    context.expect(source.descriptor == number, "a source on descriptor \(number) says \(source.descriptor)")
    context.record("bad descriptors")
  }
}

private func activatedTwice(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    try bench.settle()
    let registrations = bench.registrations
    let received = context.recorder(of: Received.self)
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in received.append(ends.near.receive()) }
    try source.activate()
    try context.onThreads(2) { _, _ in try source.activate() }
    source.suspend()
    try source.activate()
    ends.far.send([1])
    try bench.settle(target.queue)
    context.expect(received.count == 0, "on \(target.name), a second activate() ended a suspension")
    source.resume()
    try received.wait(forCount: 1, of: "an event on \(target.name)")
    try bench.settle(target.queue)
    context.expect(received.all == [.bytes([1])], "on \(target.name), activated twice, told \(received.all)")
    context.expect(
      bench.registrations == registrations + 1, "on \(target.name), activating twice made another registration")
    try bench.cancelAndWait(source)
    context.expect(
      bench.registrations == registrations, "on \(target.name), activating twice left a registration behind")
    context.record("second activations", 4)
  }
}
