import Glibc
import Polling

/// The readiness matrix of several backends, for reading: a line for each state, a column for each backend.
public struct MatrixTable: Sendable, CustomStringConvertible {
  /// The backends, with the cells of each.
  public let columns: [(subject: Subject, cells: [ReadinessMatrix.Cell])]

  /// Looks at every cell of every backend. It blocks.
  ///
  /// - Parameters:
  ///   - subjects: the backends, in the order of the columns.
  ///   - progress: told of each cell.
  public init(
    of subjects: [Subject], progress: (Subject, ReadinessMatrix.Cell) -> Void = { _, _ in }
  ) throws {
    columns = try subjects.map { subject in
      (subject, try ReadinessMatrix.cells(on: subject) { progress(subject, $0) })
    }
  }

  /// Cells that are not as they should be, one sentence each.
  public var failures: [String] {
    columns.flatMap { column in
      column.cells.filter { !$0.isAsWanted }.map { "\(column.subject.name): \($0)" }
    }
  }

  /// Cells in which two backends differ although no difference is declared, one sentence each.
  public var differences: [String] {
    guard let first = columns.first else { return [] }
    return columns.dropFirst().flatMap { other in
      zip(first.cells, other.cells).compactMap { own, its in
        let isKnown = [first.subject, other.subject].contains { $0.difference(inRow: own.state) != nil }
        guard !isKnown, own.outcome != its.outcome else { return nil }
        return "\(own.name): \(first.subject.name) says \(own.outcome), \(other.subject.name) says \(its.outcome)"
      }
    }
  }

  /// How many cells there are, over all backends.
  public var count: Int { columns.reduce(0) { $0 + $1.cells.count } }

  /// The table, with what r and w mean.
  public var description: String {
    let states = DescriptorState.all.map(\.name)
    let heads = columns.map { $0.subject.name }
    var rows = [["asked for: read, write, both"] + heads]
    for (row, state) in states.enumerated() {
      rows.append([state] + columns.map { text(of: $0.cells[row * 3..<row * 3 + 3], on: $0.subject) })
    }
    var lines = Table(rows).lines
    lines.append(
      "r: ready to read, w: to write, -: not ready; known: a difference that is declared; !: not as it should be")
    return lines.joined(separator: "\n")
  }

  private func text(of cells: ArraySlice<ReadinessMatrix.Cell>, on subject: Subject) -> String {
    let isKnown = cells.first.map { subject.difference(inRow: $0.state) != nil } ?? false
    let mark = cells.allSatisfy(\.isAsWanted) ? (isKnown ? "known" : "") : "!"
    return (cells.map { short($0.outcome) } + [mark]).joined(separator: " ")
  }

  private func short(_ outcome: ReadinessMatrix.Outcome) -> String {
    switch outcome {
    case .ready([.read, .write]): "rw"
    case .ready(.read): "r "
    case .ready(.write): "w "
    case .ready: "- "
    case .refused(let code): code == EPERM ? "EPERM" : code == EBADF ? "EBADF" : "E\(code)"
    case .broken: "broken"
    }
  }
}
