/// Rows of text in columns as wide as they need to be; the first row is the heading.
public struct Table: Sendable {
  private let rows: [[String]]

  /// A table of rows that have the same number of cells.
  public init(_ rows: [[String]]) { self.rows = rows }

  /// The lines, the heading underlined; no line ends in spaces.
  public var lines: [String] {
    guard let head = rows.first else { return [] }
    let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      let cells = zip(row, widths).map { text, width in text + String(repeating: " ", count: width - text.count) }
      return trimmed(cells.joined(separator: " | "))
    }
    lines.insert(widths.map { String(repeating: "-", count: $0) }.joined(separator: "-+-"), at: 1)
    return lines
  }

  private func trimmed(_ line: String) -> String {
    guard let last = line.lastIndex(where: { $0 != " " }) else { return "" }
    return String(line[...last])
  }
}
