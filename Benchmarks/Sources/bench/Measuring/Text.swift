/// A number with three digits that count, and none that do not.
func compact(_ value: Double) -> String {
  guard value.isFinite else { return "\(value)" }
  var scale = 1.0
  var digits = 0
  while abs(value) * scale < 100 && digits < 3 {
    scale *= 10
    digits += 1
  }
  let rounded = (value * scale).rounded() / scale
  return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
}

extension Series {
  /// `median (minimum–maximum)`.
  var text: String { isEmpty ? "–" : "\(compact(median)) (\(compact(minimum))–\(compact(maximum)))" }
}

/// Rows of words, each column as wide as it must be.
struct Table {
  private var rows: [[String]]

  init(_ heading: [String]) { rows = [heading] }

  mutating func add(_ row: [String]) { rows.append(row) }

  var text: String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      return "  " + cells.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}
