/// W7: arming, cancelling and firing of timers.
enum W7Timers: Workload {
  static let name = "W7"
  private static let many = 1_000_000
  private static let few = 20_000

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    // SwiftNIO cancels by a linear search: with as many as the others have, one sample would take minutes.
    let others = [subject("libdispatch", "timers-dispatch"), subject("SwiftNIO", "timers-nio", ["--count", "\(few)"])]
    let floors = [subject("C libevent", "timers-libevent"), subject("C libuv", "timers-libuv")]
    let hawt = backends.map { subject("hawt \($0)", "timers-hawt", ["--backend", $0]) }
    let results = try sampler.interleave(hawt + floors + effort.unlessQuick(others), rounds: effort.rounds)
    results.printTable(
      "W7 100,000 timers (SwiftNIO: \(few)), firing over 1 s",
      ["insert-ns", "cancel-ns", "fired-cpu-us", "late-p50-ms", "late-p99-ms", "earliest-ms", "bytes"],
      ratio: ("cancel-ns", "C libuv"))
    return backends.flatMap { cells(results, $0) } + (try flatness(&sampler, effort))
  }

  private static func cells(_ results: Results, _ backend: String) -> [Cell] {
    let hawt = "hawt \(backend)"
    return [
      .atMost(1, "W7.insert.\(backend)", results.ratio(hawt, to: "C libevent", "insert-ns"), "ratio-to-libevent"),
      .atMost(0.5, "W7.cancel.\(backend)", results.ratio(hawt, to: "C libuv", "cancel-ns"), "ratio-to-libuv"),
      .atMost(0.5, "W7.fired.\(backend)", results.ratio(hawt, to: "C libuv", "fired-cpu-us"), "ratio-to-libuv"),
      .atLeast(0, "W7.earliest.\(backend)", results.series(hawt, "earliest-ms"), "ms"),
      .atMost(0.05, "W7.late-p50.\(backend)", results.series(hawt, "late-p50-ms"), "ms"),
      .atMost(0.6, "W7.late-p99.\(backend)", results.series(hawt, "late-p99-ms"), "ms"),
      .atMost(128, "W7.bytes.\(backend)", results.series(hawt, "bytes"), "bytes"),
    ]
  }

  /// A cancel costs the same among a million timers as among few; twice is allowed for memory that caches do not hold.
  private static func flatness(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let subjects = backends.flatMap { backend in
      [few, many].map { count in
        subject(
          "hawt \(backend) \(count)", "timers-hawt", ["--backend", backend, "--count", "\(count)", "--fire", "0"])
      }
    }
    let results = try sampler.interleave(subjects, rounds: min(3, effort.rounds))
    results.printTable(
      "W7 timers, few and many", ["insert-ns", "cancel-ns", "bytes"], ratio: ("cancel-ns", "hawt epoll \(few)"))
    return backends.map { backend in
      let ratio = results.ratio("hawt \(backend) \(many)", to: "hawt \(backend) \(few)", "cancel-ns")
      return .atMost(2, "W7.cancel-flat.\(backend)", ratio, "ratio-to-20k")
    }
  }

  private static func subject(_ name: String, _ program: String, _ arguments: [String] = []) -> Subject {
    Subject(name: name) { try Child(program, arguments, cpu: nil).finish() }
  }
}
