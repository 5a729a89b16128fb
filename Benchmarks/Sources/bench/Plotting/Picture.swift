import Glibc

/// Charts side by side that show the same subjects, with one legend.
struct Picture {
  let charts: [LineChart]

  var svg: String {
    let names = charts.first?.lines.map(\.name) ?? []
    let width = LineChart.width * Double(charts.count)
    let legendRows = (names.count + 3) / 4
    let height = LineChart.height + Double(legendRows) * 20 + 10
    var parts = [
      "<svg xmlns='http://www.w3.org/2000/svg' width='\(compact(width))' height='\(compact(height))'"
        + " font-family='sans-serif' font-size='12'>",
      "<rect width='100%' height='100%' fill='white'/>",
    ]
    for (index, chart) in charts.enumerated() {
      parts.append("<g transform='translate(\(compact(LineChart.width * Double(index))),0)'>\n\(chart.svg)\n</g>")
    }
    for (index, name) in names.enumerated() {
      let (x, y) = (80 + Double(index % 4) * 250, LineChart.height + Double(index / 4) * 20)
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
