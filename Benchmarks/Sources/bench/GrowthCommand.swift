import ArgumentParser
import CSupport

/// Costs against numbers, and what idle things hold.
struct GrowthCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "growth", abstract: "Measure what an operation costs among few and among many.")

  @Flag(help: "Fewer and shorter samples.")
  var quick = false
  @Argument(help: "The SVG file to write.")
  var path = "growth.svg"

  func run() throws {
    bench_buffer_lines()
    _ = bench_raise_descriptor_limit()
    let effort = Effort(isQuick: quick)
    var sampler = Sampler(quick: quick)
    let curves = try Growth(effort).curves(&sampler)
    print(Self.table(curves))
    try Picture(charts: Self.charts(curves)).write(to: path)
    let idle = try sampler.interleave(Subject.hawt("memory"), rounds: 1)
    idle.printTable(
      "bytes that each idle thing holds, and that are left of each when all are gone",
      ["queue-bytes", "source-bytes", "timer-bytes", "left-bytes"], ratio: ("left-bytes", "hawt epoll"))
  }

  private static func table(_ curves: [Growth.Curve]) -> String {
    var table = Table(["what", "costs, against a number", "times as much at the most"])
    for curve in curves {
      let points = curve.points.map { "\(compact($0.count)): \(compact($0.series.median))" }
      table.add([
        "\(curve.title), \(curve.subject), \(curve.unit)", points.joined(separator: "  "), compact(curve.growth),
      ])
    }
    return table.text
  }

  /// One chart for each kind of operation.
  private static func charts(_ curves: [Growth.Curve]) -> [LineChart] {
    var charts: [LineChart] = []
    for curve in curves where !charts.contains(where: { $0.title == curve.title }) {
      let alike = curves.filter { $0.title == curve.title }
      charts.append(
        LineChart(
          title: curve.title,
          horizontal: .init(title: curve.of, ticks: curve.points.map { ($0.count, compact($0.count)) }),
          vertical: curve.unit,
          lines: alike.map { line in
            .init(name: line.subject, points: line.points.map { ($0.count, $0.series.median) })
          }))
    }
    return charts
  }
}
