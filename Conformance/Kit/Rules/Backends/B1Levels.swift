import HawtDispatch
import Polling

extension Rule {
  /// B1: what readiness is.
  static let b1 = Rule(
    "B1", "Level-triggered, two directions; ERR and HUP become both directions, then cut down to what was asked.",
    why: "Three kinds of readiness that backends tell differently would be three kinds of bugs; the system call that "
      + "follows an event tells errors anyway.",
    whereToLook: ["your backend's wait(_:into:)", "Sources/PollingEpoll", "Sources/PollingLibevent"],
    capabilities: [.processFiles, .processDescriptors, .terminals],
    checks: [
      Check("a level is reported by every wait, until it is drained", levelsAreRepeated),
      Check("each direction for itself", eachDirection),
      Check("each change of interest, and nothing else, is what later waits go by", changesAreExact),
      Check("errors and hang-ups are both directions", endingsAreBothDirections),
      Check("each cell of the readiness matrix is as this system defines it", cellsAreAsWanted),
    ])
}

private func levelsAreRepeated(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  for ends in [try raw.ends(), try raw.ends(.tcp), try raw.pipe()] {
    let token = try raw.add(ends.near.number, .read)
    context.expect(try raw.wait()[token] == nil, "an empty descriptor was reported")
    ends.far.send([1, 2])
    for round in 1...5 {
      context.expect(try raw.wait()[token] == .read, "wait \(round) did not report what is still there: not a level")
    }
    _ = ends.near.receive(1)
    context.expect(try raw.wait(.untilReady)[token] == .read, "a descriptor that was drained by half was not reported")
    ends.near.receiveAll()
    context.expect(try raw.wait()[token] == nil, "a drained descriptor was reported")
    raw.remove(ends.near.number, token)
    ends.far.send([1])
    context.expect(try raw.wait()[token] == nil, "a descriptor was reported that is not registered any more")
    context.record("levels")
  }
}

private func eachDirection(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  for kind in Ends.Kind.allCases {
    let ends = try raw.ends(kind)
    let token = try raw.add(ends.near.number, [.read, .write])
    context.expect(try raw.wait()[token] == .write, "\(kind.rawValue): room and no bytes must be reported as write")
    ends.far.send([1])
    context.expect(try raw.wait()[token] == [.read, .write], "\(kind.rawValue): room and bytes must be read+write")
    ends.near.fill()
    context.expect(try raw.wait()[token] == .read, "\(kind.rawValue): bytes and no room must be read")
    for (interest, wanted) in [(Interest.read, Interest.read), (.write, []), ([.read, .write], .read)]
      as [(Interest, Interest)]
    {
      // A change has to change something (B4).
      if raw.interest(of: token) != interest { try raw.change(ends.near.number, token, to: interest) }
      context.expect(
        try raw.wait()[token] ?? [] == wanted,
        "\(kind.rawValue), bytes and no room, asked for \(interest): wanted \(wanted)")
    }
    ends.near.receiveAll()
    context.expect(try raw.wait()[token] == nil, "\(kind.rawValue): no bytes and no room must not be reported")
    raw.remove(ends.near.number, token)
    context.record("directions", 7)
  }
}

private func changesAreExact(_ context: CheckContext) throws {
  let raw = try RawBench(context)
  let all: [Interest] = [.read, .write, [.read, .write], []]
  for old in all where !old.isEmpty {
    for between in all where between != old {
      for new in all where new != between {
        // Both directions are ready: what is reported is what the backend takes the interest to be.
        let ends = try raw.ends()
        ends.far.send([1])
        let token = try raw.add(ends.near.number, old)
        try raw.change(ends.near.number, token, to: between)
        try raw.change(ends.near.number, token, to: new)
        let found = try raw.wait()[token] ?? []
        context.expect(found == new, "from \(old) to \(between) to \(new): a wait reported \(found)")
        raw.remove(ends.near.number, token)
        ends.near.close()
        ends.far.close()
        context.record("changes of interest", 2)
      }
    }
  }
}

private func endingsAreBothDirections(_ context: CheckContext) throws {
  let bench = try context.bench()
  let raw = try RawBench(context)
  for ending in Ending.all {
    for interest in ending.interests {
      let descriptor = try ending.make(bench)
      let token = try raw.add(descriptor.number, interest)
      for round in 1...3 {
        let found = round == 1 ? try raw.awaitReport(of: token) : try raw.wait()[token]
        context.expect(
          found == interest,
          "\(ending.name), asked for \(interest): wait \(round) reported \(found.map { "\($0)" } ?? "nothing")")
      }
      raw.remove(descriptor.number, token)
      context.record("endings")
    }
  }
}

private func cellsAreAsWanted(_ context: CheckContext) throws {
  let rows = Set(DescriptorState.all.map(\.name))
  for difference in context.subject.knownDifferences {
    switch difference.place {
    case .row(let state, _):
      context.expect(rows.contains(state), "a difference is declared for '\(state)', which is no row of the matrix")
      context.record("rows with a known difference")
    case .check(let id, _, _):
      let exists = Catalogue.rules.contains { $0.id == id }
      context.expect(exists, "a difference is declared for '\(difference.what)', and there is no such rule")
    }
  }
  for cell in try ReadinessMatrix.cells(on: context.subject) {
    if !cell.isAsWanted { context.failEach("\(cell)") }
    context.detail("\(cell)")
    context.record("cells of the readiness matrix")
  }
}
