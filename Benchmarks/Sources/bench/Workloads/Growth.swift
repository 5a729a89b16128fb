import CSupport

/// What one operation costs among few and among many: each flat but for what caches no longer hold, or of the order said.
struct Growth {
  /// One curve: the cost of an operation, in some unit, against a number.
  struct Curve {
    let title: String
    let subject: String
    let of: String
    let unit: String
    let points: [(count: Double, series: Series)]

    /// How many times as much it costs at the most as at the fewest.
    var growth: Double { (points.last?.series.median ?? .nan) / (points.first?.series.median ?? .nan) }
  }

  let effort: Effort
  private let rounds: Int

  init(_ effort: Effort) {
    self.effort = effort
    rounds = effort.isQuick ? 2 : 3
  }

  func curves(_ sampler: inout Sampler) throws -> [Curve] {
    try events(&sampler) + tasks(&sampler) + timers(&sampler) + migrations(&sampler)
  }

  private func events(_ sampler: inout Sampler) throws -> [Curve] {
    let most = min(10_000, Int(bench_raise_descriptor_limit()) - 100)
    let servers = [EchoServer.epoll, .libevent] + backends.map { .hawt("reactor", $0) }
    return try curves(&sampler, "an echo", of: "connections", "server-us", [10, 100, 1000, most]) { count in
      servers.map { $0.subject(EchoLoad(effort, connections: count)) }
    }
  }

  private func tasks(_ sampler: inout Sampler) throws -> [Curve] {
    try curves(&sampler, "a task", of: "serial queues", "ns-per-op", [1, 10, 100, 1000, 10_000, 100_000]) { count in
      hawt("tasks-hawt", ["W5", "--queues", "\(count)"])
    }
  }

  private func timers(_ sampler: inout Sampler) throws -> [Curve] {
    var results: [Int: Results] = [:]
    let counts = [1000, 10_000, 100_000, 1_000_000]
    for count in counts {
      results[count] = try sampler.interleave(
        hawt("timers-hawt", ["--count", "\(count)", "--fire", "0"]), rounds: rounds)
    }
    return ["insert-ns", "cancel-ns", "bytes"].flatMap { key in
      curves("a timer: \(key)", of: "timers", key, counts, results)
    }
  }

  /// A queue's sources move with it, so that a migration costs as much as there are sources; the curve is for each.
  private func migrations(_ sampler: inout Sampler) throws -> [Curve] {
    let whole = try curves(
      &sampler, "a source's share of a migration", of: "sources", "effective-us", [1, 10, 100, 1000]
    ) {
      hawt("tasks-hawt", ["W9.asleep", "--sources", "\($0)"])
    }
    return whole.map { curve in
      Curve(
        title: curve.title, subject: curve.subject, of: curve.of, unit: "us",
        points: curve.points.map { point in (point.count, Series(point.series.values.map { $0 / point.count })) })
    }
  }

  private func hawt(_ program: String, _ arguments: [String]) -> [Subject] {
    backends.map { backend in
      Subject(name: "hawt \(backend)") { try Child(program, arguments + ["--backend", backend], cpu: nil).finish() }
    }
  }

  private func curves(
    _ sampler: inout Sampler, _ name: String, of: String, _ key: String, _ counts: [Int],
    _ subjects: (Int) -> [Subject]
  ) throws -> [Curve] {
    var results: [Int: Results] = [:]
    for count in counts { results[count] = try sampler.interleave(subjects(count), rounds: rounds) }
    return curves(name, of: of, key, counts, results)
  }

  private func curves(
    _ name: String, of: String, _ key: String, _ counts: [Int], _ results: [Int: Results]
  ) -> [Curve] {
    (results[counts[0]]?.subjects ?? []).map { subject in
      Curve(
        title: name, subject: subject, of: of, unit: key,
        points: counts.map { (Double($0), results[$0]!.series(subject, key)) })
    }
  }
}
