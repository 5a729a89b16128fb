import Glibc

/// Charts beside and below each other, with one legend; a subject has the same colour in all.
struct Picture {
  let charts: [LineChart]

  private static let columns = 3
  private static let namesPerRow = 4

  var svg: String {
    var names: [String] = []
    for line in charts.flatMap(\.lines) where !names.contains(line.name) { names.append(line.name) }
    let rows = (charts.count + Self.columns - 1) / Self.columns
    let legend = LineChart.height * Double(rows)
    let width = LineChart.width * Double(min(charts.count, Self.columns))
    let height = legend + Double((names.count + Self.namesPerRow - 1) / Self.namesPerRow) * 20 + 10
    var parts = [
      "<svg xmlns='http://www.w3.org/2000/svg' width='\(compact(width))' height='\(compact(height))'"
        + " font-family='sans-serif' font-size='12'>",
      "<rect width='100%' height='100%' fill='white'/>",
    ]
    for (index, chart) in charts.enumerated() {
      let x = LineChart.width * Double(index % Self.columns)
      let y = LineChart.height * Double(index / Self.columns)
      parts.append("<g transform='translate(\(compact(x)),\(compact(y)))'>\n\(chart.svg(names))\n</g>")
    }
    for (index, name) in names.enumerated() {
      let x = 80 + Double(index % Self.namesPerRow) * 250
      let y = legend + Double(index / Self.namesPerRow) * 20
      parts.append(
        "<rect x='\(compact(x))' y='\(compact(y - 4))' width='24' height='4' fill='\(LineChart.color(index))'/>")
      parts.append(LineChart.text(x + 30, y + 3, name))
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  func write(to path: String) throws(BenchError) {
    guard let file = fopen(path, "w") else { throw BenchError("\(path) cannot be written: \(systemMessage())") }
    defer { fclose(file) }
    fputs(svg, file)
    print("drawn: \(path)")
  }
}
