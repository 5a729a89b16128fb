import Polling

/// B8, cell by cell: whoever changes the backend finds the same readiness and the same errors.
func sameMatrix(_ context: CheckContext) throws {
  // One backend is compared with itself: a second look has to find the same.
  let others = context.subjects.filter { $0.name != context.subject.name }
  let cells = try ReadinessMatrix.cells(on: context.subject)
  for other in others.isEmpty ? [context.subject] : others {
    for (cell, its) in zip(cells, try ReadinessMatrix.cells(on: other)) {
      let isKnown = [context.subject, other].contains { $0.difference(inRow: cell.state) != nil }
      context.expect(
        isKnown || cell.outcome == its.outcome,
        "\(cell.name): \(context.subject.name) says \(cell.outcome), \(other.name) says \(its.outcome)")
      context.record(isKnown ? "cells with a known difference" : "cells compared")
    }
  }
}
