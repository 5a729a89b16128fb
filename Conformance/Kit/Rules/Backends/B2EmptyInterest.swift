import HawtDispatch
import Polling

extension Rule {
  /// B2: nothing asked, nothing heard.
  static let b2 = Rule(
    "B2", "Empty interest means that the descriptor is out of the kernel's set.",
    why:
      "The kernel reports errors and hang-ups whatever was asked: a suspended source on a dead connection would keep a "
      + "core busy.",
    whereToLook: ["your backend's change(_:_:from:to:)", "Sources/Polling/Poller"],
    checks: [
      Check("a backend reports nothing of a descriptor with an empty interest", emptyInterestIsSilent),
      Check("a wait sleeps beside a dead descriptor of empty interest", waitSleepsBesideTheDead),
      Check("sources that are suspended are out of the pollers", suspendedSourcesAreOut),
    ])
}

private func emptyInterestIsSilent(_ context: CheckContext) throws {
  let bench = try context.bench()
  let raw = try RawBench(context)
  for ending in Ending.all {
    for interest in ending.interests {
      let descriptor = try ending.make(bench)
      let token = try raw.add(descriptor.number, interest)
      for round in 1...3 {
        try raw.change(descriptor.number, token, to: [])
        context.expect(
          try raw.wait()[token] == nil, "\(ending.name) was reported although nothing was asked, round \(round)")
        try raw.change(descriptor.number, token, to: interest)
        context.expect(
          try raw.awaitReport(of: token) == interest,
          "\(ending.name) was not reported after an empty interest, round \(round)")
      }
      raw.remove(descriptor.number, token)
      context.record("empty interests", 3)
    }
  }
}

private func waitSleepsBesideTheDead(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let ends = try raw.ends()
  let token = try raw.add(ends.near.number, [.read, .write])
  try raw.change(ends.near.number, token, to: [])
  ends.far.close()
  // The bell alone may end the wait; whatever it returns with before that is a spin.
  for _ in 0..<20 {
    let ringer = Thread { [bell = raw.bell] in
      context.pause(.milliseconds(1))
      bell.ring()
    }
    let found = try raw.wait(.untilReady)
    ringer.join()
    context.expect(
      found == [RawBench.bellToken: .read], "beside a dead descriptor of empty interest, a wait reported \(found)")
    raw.bell.receiveAll()
    context.record("waits")
  }
  context.expect(try raw.wait().isEmpty, "nothing is ready, and a wait reported something")
}

private func suspendedSourcesAreOut(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    let told = Tally()
    let source = try bench.activeSource(ends.near, [.read, .write], on: target.queue) { event in
      event.suspend()
      told.add()
    }
    try context.eventually("the writable half is told on \(target.name)", { told.value == 1 })
    try bench.settle(target.queue)
    let last = observer.calls.last { $0.descriptor == ends.near.number }
    context.expect(
      last?.new == [],
      "on \(target.name), the backend watches a suspended source's descriptor for \(last.map { "\($0.new)" } ?? "ever")"
    )
    let armed = bench.armedDirections
    source.resume()
    try context.eventually("it is told again on \(target.name)", { told.value == 2 })
    try bench.settle(target.queue)
    context.expect(
      bench.armedDirections == armed,
      "on \(target.name), \(bench.armedDirections - armed) directions of a suspended source are armed")
    try bench.cancelAndWait(source)
    context.record("suspended sources")
  }
}
