import Polling

/// B8, cell by cell: whoever changes the backend finds the same readiness and the same errors.
func sameMatrix(_ context: CheckContext) throws {
  // One backend is compared with itself: a second look has to find the same.
  let others = context.subjects.filter { $0.name != context.subject.name }
  let cells = try ReadinessMatrix.cells(on: context.subject)
  for other in others.isEmpty ? [context.subject] : others {
    for (cell, its) in zip(cells, try ReadinessMatrix.cells(on: other)) {
      let isKnown = [context.subject, other].contains { $0.difference(inRow: cell.state) != nil }
      let said = "\(cell.name): \(context.subject.name) says \(cell.outcome), \(other.name) says \(its.outcome)"
      if !isKnown, cell.outcome != its.outcome { context.failEach(said) }
      context.detail(said)
      context.record(isKnown ? "cells with a known difference" : "cells compared")
    }
  }
}

/// The name of a check, which some backends declare to fail.
let closedIsSilent = "a number that is closed while it is registered is not told"

/// The kernel forgets such a registration; a backend that keeps books of its own has to, too.
func closedNumberIsSilent(_ context: CheckContext) throws {
  for interest in ReadinessMatrix.interests {
    let raw = try RawBench(context)
    let ends = try raw.ends()
    ends.far.send([1])
    let token = try raw.add(ends.near.number, interest)
    context.expect(try raw.wait()[token] == interest, "an open descriptor was not told")
    ends.near.close()
    for round in 1...3 {
      context.expect(
        try raw.wait()[token] == nil, "asked for \(interest), wait \(round) told a number that is closed")
    }
    raw.remove(ends.near.number, token)
    context.record("closed numbers")
  }
}
