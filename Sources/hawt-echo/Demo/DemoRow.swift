/// What one run of server and client came to.
struct DemoRow {
  let style: Style
  let backend: BackendChoice
  let connections: Int
  let requestsPerSecond: Int
  let p50us: Int
  let p99us: Int
  let threads: Int
  let migrations: Int
  let fewestMigrations: Int
  let lost: Int
  let misordered: Int
  let broken: Int

  init(style: Style, backend: BackendChoice, load: Fields, server: Fields) throws {
    self.style = style
    self.backend = backend
    connections = try load.number("connections")
    requestsPerSecond = try load.number("rps")
    p50us = try load.number("p50us")
    p99us = try load.number("p99us")
    lost = try load.number("lost")
    misordered = try load.number("misordered")
    broken = try load.number("broken")
    threads = try server.number("threads")
    migrations = try server.number("migrations")
    fewestMigrations = try server.number("fewest")
  }

  /// Why the row must not stand, in words; empty if it may.
  var faults: [String] {
    var faults: [String] = []
    if lost > 0 { faults.append("\(lost) bytes were lost") }
    if misordered > 0 { faults.append("\(misordered) bytes were out of order") }
    if broken > 0 { faults.append("\(broken) connections were broken off") }
    if requestsPerSecond == 0 { faults.append("no request was answered") }
    if threads < 2 { faults.append("the handlers of all connections ran on \(threads) thread") }
    if style == .reactor && fewestMigrations < 3 {
      faults.append("a connection migrated \(fewestMigrations) times; at least 3 were due")
    }
    return faults
  }

  /// The line for scripts.
  var line: String {
    "demo \(style.rawValue) \(backend.rawValue) connections \(connections) rps \(requestsPerSecond)"
      + " p50us \(p50us) p99us \(p99us) threads \(threads) migrations \(migrations)"
      + " lost \(lost) misordered \(misordered)"
  }

  static let headings = [
    "style", "backend", "connections", "requests/s", "p50 µs", "p99 µs", "threads", "migrations", "bytes lost",
    "out of order",
  ]

  var cells: [String] {
    [style.rawValue, backend.rawValue]
      + [connections, requestsPerSecond, p50us, p99us, threads, migrations, lost, misordered].map(String.init)
  }

  /// The rows under their headings, names to the left and numbers to the right.
  static func table(_ rows: [DemoRow]) -> String {
    let lines = [headings] + rows.map(\.cells)
    let widths = headings.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { cells in
      zip(cells, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column < 2 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }
}
