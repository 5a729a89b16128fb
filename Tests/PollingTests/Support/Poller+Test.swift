import Polling

extension Poller {
  /// The union of what several waits report: backends take what is ready in batches of different sizes.
  func harvestAll() throws -> [UInt: Interest] {
    var reports: [UInt: Interest] = [:]
    for _ in 0..<8 { reports.merge(try harvest()) { $0.union($1) } }
    return reports
  }

  /// What one wait reports, by the caller's words.
  func harvest(_ mode: WaitMode = .now) throws -> [UInt: Interest] {
    try wait(mode)
    var reports: [UInt: Interest] = [:]
    for report in ready where !report.readiness.isEmpty {
      reports[report.context, default: []].formUnion(report.readiness)
    }
    return reports
  }
}
