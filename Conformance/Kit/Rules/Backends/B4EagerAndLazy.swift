import Glibc
import HawtDispatch
import Polling

extension Rule {
  /// B4: when the kernel is told.
  static let b4 = Rule(
    "B4",
    "Adding is eager, so its error is synchronous; removing is eager and voids noted changes; changing interest is lazy, per "
      + "direction, so that arm-disarm pairs cost nothing.",
    why:
      "An error has to meet who asked; a closed descriptor must be out before its number is used again; and an event that "
      + "disarms and re-arms would otherwise cost two system calls.",
    whereToLook: ["Sources/Polling/Poller/Poller+Changes.swift", "your backend's add(_:_:_:)"],
    capabilities: [.processFiles],
    checks: [
      Check("a backend refuses at once what cannot be registered, and is none the worse", addingIsEager),
      Check("a backend forgets at once what is removed, and takes its number under another token", removingForgets),
      Check("changes are told with the next wait, and only what is different then", changingIsLazy),
      Check("removing is told at once, and what was noted is void", removingIsEager),
      Check("suspend and resume in a handler cost no call", pairsCostNothing),
      Check("events that are handled at once cost no call", eventsCostNothing),
    ])
}

private func addingIsEager(_ context: CheckContext) throws {
  let bench = try context.bench()
  let raw = try RawBench(context)
  for bad in BadDescriptor.all {
    let number = try bad.make(bench)
    // The contract leaves negative numbers to the poller.
    guard number >= 0 else { continue }
    for interest: Interest in [.read, .write, [.read, .write]] {
      let error = thrown { _ = try raw.add(number, interest) } as? BackendError
      context.expect(
        error?.code == bad.code && error?.operation == .add,
        "adding \(bad.name) for \(interest): \(error.map { "\($0)" } ?? "no error"); wanted errno \(bad.code)")
      context.expect(try raw.wait().isEmpty, "after adding \(bad.name) was refused, it was reported")
      context.record("refusals")
    }
  }
  let ends = try raw.ends()
  let token = try raw.add(ends.near.number, .read)
  ends.far.send([1])
  context.expect(try raw.wait()[token] == .read, "after refusals, a good descriptor was not reported")
}

private func removingForgets(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  for kind in Ends.Kind.allCases {
    for interest: Interest in [.read, .write, [.read, .write]] {
      let ends = try raw.ends(kind)
      ends.far.send([1])
      for round in 1...3 {
        let token = try raw.add(ends.near.number, interest)
        let told = try raw.backend.wait(.now)
        context.expect(
          told.map(\.token) == [token],
          "\(kind.rawValue), asked for \(interest), registered \(round) times: told \(told.map(\.token)), not \(token)")
        raw.remove(ends.near.number, token)
        let left = try raw.backend.wait(.now)
        context.expect(left.isEmpty, "what was removed is still told: \(left)")
        context.record("removals")
      }
      ends.near.close()
    }
  }
}

private func changingIsLazy(_ context: CheckContext) throws {
  let (poller, observer) = try observedPoller(context)
  let ends = try Ends.unixStream()
  // Open as long as it is registered.
  defer { ends.near.close() }
  func calls(_ body: () throws -> Void) rethrows -> [BackendCall] {
    let before = observer.calls.count
    try body()
    return Array(observer.calls.dropFirst(before))
  }
  var slot: SlotID?
  let added = try calls { slot = try poller.register(ends.near.number, interest: .read, context: 1) }
  guard let slot else { return }
  context.expect(added.map(\.operation) == [.add], "registering made the calls \(added)")
  let noted = calls {
    poller.setInterest(slot, [])
    poller.setInterest(slot, [.read, .write])
    poller.setInterest(slot, .write)
  }
  context.expect(noted.isEmpty, "changes that are only noted made the calls \(noted)")
  let flushed = try calls { try poller.wait(.now) }
  context.expect(
    flushed.map(\.operation) == [.change] && flushed.first?.old == .read && flushed.first?.new == .write,
    "three changes, the last from read to write, were told as \(flushed)")
  let again = try calls { try poller.wait(.now) }
  context.expect(again.isEmpty, "a wait without changes made the calls \(again)")
  for _ in 0..<100 {
    let pair = try calls {
      poller.setInterest(slot, [])
      poller.setInterest(slot, .write)
      try poller.wait(.now)
    }
    context.expect(pair.isEmpty, "a disarm-arm pair between two waits made the calls \(pair)")
    context.record("pairs")
  }
  let both = try calls {
    poller.setInterest(slot, [.read, .write])
    try poller.wait(.now)
  }
  context.expect(
    both.count == 1 && both.first?.old == .write && both.first?.new == [.read, .write],
    "adding a direction was told as \(both)")
  poller.unregister(slot)
}

private func removingIsEager(_ context: CheckContext) throws {
  let (poller, observer) = try observedPoller(context)
  let ends = try Ends.unixStream()
  defer { ends.near.close() }
  for noted: Interest in [.read, .write, [], [.read, .write]] {
    let slot = try poller.register(ends.near.number, interest: .read, context: 1)
    ends.far.send([1])
    try poller.wait(.now)
    context.expect(
      poller.ready.contains { $0.slot == slot && $0.readiness == .read }, "a ready descriptor was not reported")
    poller.setInterest(slot, noted)
    let before = observer.calls.count
    poller.unregister(slot)
    let removed = observer.calls.dropFirst(before)
    context.expect(
      removed.map(\.operation) == [.remove],
      "taking out a descriptor with \(noted) noted made the calls \(Array(removed))")
    // The report that was not yet read is void, as is the change.
    context.expect(
      poller.ready.allSatisfy(\.readiness.isEmpty), "a descriptor that was taken out is still told as ready")
    try poller.wait(.now)
    context.expect(
      observer.calls.count == before + 1,
      "after a removal, the next wait made the calls \(observer.calls.dropFirst(before + 1))")
    context.expect(poller.ready.isEmpty, "a descriptor that was taken out was reported")
    ends.near.receiveAll()
    context.record("removals")
  }
}

private func pairsCostNothing(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench(workers: 1)
  let thread = bench.dispatcher.threadQueues[0]
  let pinned = try bench.dispatcher.makeSerialQueue(label: "pinned", target: thread)
  for queue in [thread, pinned] as [any Queue] {
    let ends = try bench.ends()
    let events = context.recorder(of: Int.self)
    let box = Shared<ReadinessSource?>(nil)
    let source = try bench.activeSource(ends.near, on: queue) { event in
      event.suspend()
      ends.near.receiveAll()
      box.with { $0 }?.resume()
      events.append(1)
    }
    box.with { $0 = source }
    try bench.settle(queue)
    let before = observer.calls.count
    let rounds = 200
    for round in 1...rounds {
      ends.far.send([1])
      try events.wait(forCount: round, of: "an event")
    }
    try context.drain(queue)
    let calls = observer.calls.dropFirst(before)
    context.expect(
      calls.count <= rounds / 20,
      "\(rounds) events whose handlers suspend and resume made \(calls.count) calls to the backend, \(calls.first.map { "\($0)" } ?? "")"
    )
    box.with { $0 = nil }
    try bench.cancelAndWait(source)
    context.record("pairs", rounds)
  }
}

private func eventsCostNothing(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench(workers: 1)
  for target in try bench.targets() {
    let ends = try bench.ends()
    let events = context.recorder(of: Int.self)
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in
      ends.near.receiveAll()
      events.append(1)
    }
    try bench.settle(target.queue)
    let before = observer.calls.count
    let rounds = 200
    for round in 1...rounds {
      ends.far.send([1])
      try events.wait(forCount: round, of: "an event on \(target.name)")
    }
    try context.drain(target.queue)
    let calls = observer.calls.dropFirst(before)
    context.expect(
      calls.count <= rounds / 20, "on \(target.name), \(rounds) events made \(calls.count) calls to the backend")
    try bench.cancelAndWait(source)
    context.record("events", rounds)
  }
}
