import Glibc
import HawtDispatch

extension Rule {
  /// S8: a number is not a file.
  static let s8 = Rule(
    "S8",
    "A descriptor number that is closed and reused never receives its predecessor's event: within one batch, closed without "
      + "cancel, with a living duplicate of the predecessor.",
    why: "Numbers are reused at once. An event that reaches the successor makes its handler read a connection that has "
      + "nothing to say; one that the kernel reports for ever for a file that nobody can name any more keeps a core busy.",
    whereToLook: ["Sources/Polling/Slots", "Sources/Polling/Poller (revalidate, rebuild)"],
    checks: [
      Check("cancelled, closed and reused", cancelledAndReused),
      Check("closed without cancel and reused, with and without a living duplicate", closedWithoutCancel),
      Check("closed without cancel, a duplicate lives on, nobody reuses the number", closedWithLivingDuplicate),
      Check("reused within one batch", reusedWithinABatch),
      Check("reused at the moment in which the backend is told of a change or a removal", reusedDuringCalls),
      Check("numbers reused all the time by several threads", reusedAllTheTime),
    ])
}

/// A descriptor that can be made ready although its number is another's by now.
struct Pokable: Sendable {
  let descriptor: Descriptor
  let poke: @Sendable () -> Void

  /// Eventfds share one inode, pipes and sockets have their own: no kind is like the other to who must tell them apart.
  static let kinds = ["a socket", "a pipe", "an eventfd"]

  init(_ kind: String, _ bench: Bench) throws {
    switch kind {
    case "an eventfd":
      let event = bench.keep(try Descriptor.event())
      let other = bench.keep(event.duplicate())
      descriptor = event
      poke = { other.ring() }
    case "a pipe":
      let ends = try bench.pipe()
      descriptor = ends.near
      poke = { ends.far.send(count: 1) }
    default:
      let ends = try bench.ends()
      descriptor = ends.near
      poke = { ends.far.send(count: 1) }
    }
  }
}

/// Makes a source on a successor and checks that it hears of its own readiness and nothing else.
struct Successor {
  let source: ReadinessSource
  let events: Recorder<Received>

  init(_ bench: Bench, on number: Descriptor, target: any Queue) throws {
    let events = bench.context.recorder(of: Received.self)
    self.events = events
    source = try bench.activeSource(number, on: target) { _ in events.append(number.receive()) }
  }

  func expectNothing(_ bench: Bench, _ circumstances: String) throws {
    try bench.settle(except: nil)
    bench.context.expect(events.count == 0, "\(circumstances): the successor was told \(events.all)")
  }

  func expectOwn(_ bench: Bench, _ poke: () -> Void, _ circumstances: String) throws {
    let before = events.count
    poke()
    let all = try events.wait(forCount: before + 1, of: "the successor's own event: \(circumstances)")
    var isOwn = false
    if case .bytes = all[before] { isOwn = true }
    bench.context.expect(isOwn, "\(circumstances): the successor's own event came with \(all[before])")
  }
}

private func cancelledAndReused(_ context: CheckContext) throws {
  let bench = try context.bench()
  for kind in Pokable.kinds {
    for target in try bench.targets() {
      for keepsDuplicate in [false, true] {
        let old = try Pokable(kind, bench)
        let new = try Pokable(kind, bench)
        let duplicate = keepsDuplicate ? bench.keep(old.descriptor.duplicate()) : nil
        let reused = context.latch()
        let hasEnded = Tally()
        // Undrained: it is reported by every wait until it is out.
        let source = bench.source(old.descriptor, on: target.queue) { _ in
          if hasEnded.value != 0 { context.fail("\(kind) on \(target.name): a cancelled source fired") }
        }
        source.setCancelHandler {
          hasEnded.set(1)
          old.descriptor.become(new.descriptor)
          reused.signal()
        }
        old.poke()
        try source.activate()
        try context.eventually("the source fires", { source.deliveries > 0 })
        source.cancel()
        try reused.wait(for: "the cancel handler, \(kind) on \(target.name)")
        old.poke()
        let circumstances = "\(kind) on \(target.name), cancelled, duplicate kept: \(keepsDuplicate)"
        let successor = try Successor(bench, on: old.descriptor, target: target.queue)
        old.poke()
        try successor.expectNothing(bench, circumstances)
        try successor.expectOwn(bench, new.poke, circumstances)
        bench.expectCalm(circumstances)
        try bench.cancelAndWait(successor.source)
        duplicate?.close()
        context.record("reused numbers")
      }
    }
  }
}

private func closedWithoutCancel(_ context: CheckContext) throws {
  let bench = try context.bench()
  let threads = bench.dispatcher.threadQueues
  for kind in Pokable.kinds {
    for keepsDuplicate in [true, false] {
      for isPokedBefore in [true, false] {
        for (place, target) in [("the same", threads[0]), ("another", threads[1])] {
          let circumstances =
            "\(kind) closed without cancel, duplicate kept: \(keepsDuplicate), ready before the reuse: \(isPokedBefore), "
            + "successor on \(place) thread"
          let old = try Pokable(kind, bench)
          let new = try Pokable(kind, bench)
          let duplicate = keepsDuplicate ? bench.keep(old.descriptor.duplicate()) : nil
          // It never reads: the number is not its own any more.
          let told = context.latch()
          let errors = context.recorder(of: SourceError.self)
          let source = try bench.activeSource(old.descriptor, on: threads[0]) { event in
            event.suspend()
            told.signal()
          }
          source.setErrorHandler { errors.append($0) }
          try bench.settle()
          if isPokedBefore {
            old.poke()
            try told.wait(for: "the predecessor's event")
            source.resume()
          }
          old.descriptor.become(new.descriptor)
          let successor = try Successor(bench, on: old.descriptor, target: target)
          old.poke()
          try successor.expectNothing(bench, circumstances)
          bench.expectCalm(circumstances)
          try successor.expectOwn(bench, new.poke, circumstances)
          bench.expectDispossessed(errors, isCertain: place == "the same", circumstances)
          try bench.cancelAndWait(source)
          old.poke()
          try bench.settle()
          bench.context.expect(
            successor.events.count == 1, "\(circumstances): after the late cancel, the successor was told again")
          try successor.expectOwn(bench, new.poke, circumstances + ", after the late cancel")
          try bench.cancelAndWait(successor.source)
          duplicate?.close()
          context.record("numbers reused without cancel")
        }
      }
    }
  }
}

extension Bench {
  /// A predecessor whose number was reused has lost its file, and is told so if that can be known: it must not take what is
  /// its successor's.
  fileprivate func expectDispossessed(_ errors: Recorder<SourceError>, isCertain: Bool, _ circumstances: String) {
    for error in errors.all { error.expectDispossession(context) }
    let count = errors.count
    context.expect(
      isCertain ? count == 1 : count <= 1,
      "\(circumstances): the predecessor was told of \(count) errors")
  }
}

extension SourceError {
  fileprivate func expectDispossession(_ context: CheckContext) {
    if case .registration(let error) = self, error.code == ENOENT { return }
    context.fail("a source whose number was reused was told: \(self)")
  }
}

private func closedWithLivingDuplicate(_ context: CheckContext) throws {
  let bench = try context.bench()
  for kind in Pokable.kinds {
    for target in try bench.targets() {
      let old = try Pokable(kind, bench)
      let duplicate = bench.keep(old.descriptor.duplicate())
      let hasEnded = Tally()
      let source = try bench.activeSource(old.descriptor, on: target.queue) { event in
        if hasEnded.value != 0 { context.fail("\(kind) on \(target.name): a cancelled source fired") }
        event.suspend()
      }
      try bench.settle()
      old.descriptor.close()
      try bench.cancelAndWait(source)
      hasEnded.set(1)
      // The kernel's registration of the closed descriptor can be taken out by nobody who knows only its number.
      old.poke()
      try bench.settle(target.queue)
      bench.expectCalm("\(kind) on \(target.name), closed before its cancel, a duplicate ready for ever")
      duplicate.close()
      context.record("closed descriptors with a living duplicate")
    }
  }
}

private func reusedWithinABatch(_ context: CheckContext) throws {
  for workers in [1, 2] {
    let bench = try context.bench(workers: workers)
    let thread = bench.dispatcher.threadQueues[0]
    for kind in Pokable.kinds {
      for isCancelled in [true, false] {
        let pair = [try Pokable(kind, bench), try Pokable(kind, bench)]
        let new = try Pokable(kind, bench)
        let made = Shared<Successor?>(nil)
        let reused = context.latch()
        let turn = Tally()
        let sources = pair.map { bench.source($0.descriptor, on: thread) }
        for source in sources { source.setErrorHandler { $0.expectDispossession(context) } }
        for (index, source) in sources.enumerated() {
          let other = sources[1 - index]
          let number = pair[1 - index].descriptor
          let replace: @Sendable () throws -> Void = {
            number.become(new.descriptor)
            let successor = try Successor(bench, on: number, target: thread)
            made.with { $0 = successor }
            reused.signal()
          }
          source.setCancelHandler {}
          source.setEventHandler { event in
            event.suspend()
            // Whichever comes first ends the other one, whose event came with the same wait.
            guard turn.add() == 1 else { return }
            if isCancelled {
              other.setCancelHandler { try replace() }
              other.cancel()
            } else {
              try replace()
            }
          }
        }
        // Both are ready before the poller is asked the next time.
        let gate = try context.hold(thread)
        for source in sources { try source.activate() }
        for item in pair { item.poke() }
        gate.open()
        try reused.wait(for: "one of two handlers of a batch")
        let circumstances = "\(kind) reused within a batch, cancelled: \(isCancelled), \(workers) workers"
        guard let successor = made.with({ $0 }) else { throw CheckFailure("\(circumstances): no successor") }
        try successor.expectNothing(bench, circumstances)
        try successor.expectOwn(bench, new.poke, circumstances)
        for source in sources { try bench.cancelAndWait(source) }
        try bench.cancelAndWait(successor.source)
        context.record("numbers reused within a batch")
      }
    }
  }
}

private func reusedAllTheTime(_ context: CheckContext) throws {
  let bench = try context.bench(workers: 3)
  let targets = try bench.targets().map(\.queue)
  let rounds = context.scaled(500, minimum: 30)
  try context.onThreads(3) { index, random in
    // Closed and opened freely: the threads take one another's numbers.
    for round in 0..<rounds {
      let ends = try Ends.unixStream()
      let mark = UInt8(truncatingIfNeeded: index * 80 + round % 80)
      let seen = context.recorder(of: Received.self)
      let ended = context.latch()
      let source = bench.dispatcher.makeReadSource(ends.near.number, target: random.pick(targets)) { _ in
        seen.append(ends.near.receive())
      }
      source.setCancelHandler {
        ends.near.close()
        ended.signal()
      }
      try source.activate()
      ends.far.send([mark])
      try seen.wait(forCount: 1, of: "a byte on a reused number")
      if random.oneIn(2) { ends.far.send([mark]) }
      source.cancel()
      try ended.wait(for: "the cancel handler on a reused number")
      context.expect(
        seen.all.allSatisfy { $0 == .bytes([mark]) || $0 == .bytes([mark, mark]) },
        "a source on a reused number saw \(seen.all), its peer wrote \(mark)")
      context.record("reused numbers")
    }
  }
}
