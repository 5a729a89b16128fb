import Glibc

/// A chart of lines over logarithmic axes: what is measured here spans powers of ten.
struct LineChart {
  struct Line {
    let name: String
    let points: [(x: Double, y: Double)]
  }

  /// What is written at the axis, and where the ticks are.
  struct Axis {
    let title: String
    let ticks: [(at: Double, text: String)]
  }

  let title: String
  let horizontal: Axis
  let vertical: String
  let lines: [Line]

  static let width = 560.0
  static let height = 420.0
  private static let left = 80.0
  private static let right = 20.0
  private static let top = 40.0
  private static let bottom = 60.0
  /// Told apart by most eyes, colour-blind ones included, as far as so many can be.
  private static let colors = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f3c8d", "#8c564b", "#999999",
    "#b2df00", "#ff5a5f",
  ]

  static func color(_ index: Int) -> String { colors[index % colors.count] }

  /// An SVG group, its upper left corner at the origin.
  ///
  /// - Parameter names: all names of the picture, in the order of their colours.
  func svg(_ names: [String]) -> String {
    let xs = horizontal.ticks.map(\.at) + lines.flatMap { $0.points.map(\.x) }
    let ys = lines.flatMap { $0.points.map(\.y) }.filter { $0 > 0 }
    guard let lowX = xs.min(), let highX = xs.max(), let lowY = ys.min(), let highY = ys.max() else { return "" }
    let decades = (pow(10, log10(lowY).rounded(.down)), pow(10, log10(highY).rounded(.up)))
    let placeX = Self.place(lowX, highX, from: Self.left, to: Self.width - Self.right)
    let placeY = Self.place(decades.0, decades.1, from: Self.height - Self.bottom, to: Self.top)
    return frame(placeX, placeY, decades) + "\n" + drawn(placeX, placeY, names)
  }

  private func frame(
    _ placeX: (Double) -> Double, _ placeY: (Double) -> Double, _ decades: (Double, Double)
  ) -> String {
    var parts = [
      Self.text(Self.width / 2, 20, title, "font-weight='bold' text-anchor='middle'"),
      Self.text(Self.width / 2, Self.height - 15, horizontal.title, "text-anchor='middle'"),
      Self.text(-Self.height / 2, 18, vertical, "text-anchor='middle' transform='rotate(-90)'"),
    ]
    for tick in horizontal.ticks {
      let x = placeX(tick.at)
      parts.append(Self.rule(x, Self.top, x, Self.height - Self.bottom))
      parts.append(Self.text(x, Self.height - Self.bottom + 18, tick.text, "text-anchor='middle'"))
    }
    var decade = decades.0
    while decade <= decades.1 * 1.001 {
      let y = placeY(decade)
      parts.append(Self.rule(Self.left, y, Self.width - Self.right, y))
      parts.append(Self.text(Self.left - 6, y + 4, compact(decade), "text-anchor='end'"))
      decade *= 10
    }
    return parts.joined(separator: "\n")
  }

  private func drawn(
    _ placeX: (Double) -> Double, _ placeY: (Double) -> Double, _ names: [String]
  ) -> String {
    lines.map { line in
      let places = line.points.filter { $0.y > 0 }.map { "\(compact(placeX($0.x))),\(compact(placeY($0.y)))" }
      let path = places.joined(separator: " ")
      return
        "<polyline points='\(path)' fill='none' stroke='\(Self.color(names.firstIndex(of: line.name) ?? 0))' stroke-width='2'/>"
    }.joined(separator: "\n")
  }

  private static func place(
    _ low: Double, _ high: Double, from: Double, to: Double
  ) -> (Double) -> Double {
    { value in from + (to - from) * (high > low ? log(value / low) / log(high / low) : 0.5) }
  }

  private static func rule(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double) -> String {
    "<line x1='\(compact(x1))' y1='\(compact(y1))' x2='\(compact(x2))' y2='\(compact(y2))' stroke='#dddddd'/>"
  }

  static func text(_ x: Double, _ y: Double, _ words: String, _ attributes: String = "") -> String {
    "<text x='\(compact(x))' y='\(compact(y))' \(attributes)>\(words)</text>"
  }
}
