internal import CSupport

/// Latencies of one thing after another, reported as percentiles in microseconds.
package struct Latencies: ~Copyable {
  private let histogram = UnsafeMutablePointer<bench_histogram>.allocate(capacity: 1)

  package init() { histogram.initialize(to: bench_histogram()) }

  deinit { histogram.deallocate() }

  /// Waits for `body`, which is to post a task that signals the gate, and notes how long that took.
  package func measure(_ gate: Gate, _ body: () -> Void) {
    let began = bench_now()
    body()
    gate.wait()
    note(bench_now() - began)
  }

  /// Notes what took so many nanoseconds.
  package func note(_ nanoseconds: UInt64) { bench_histogram_add(histogram, nanoseconds) }

  /// The median in microseconds.
  package var median: Double { Double(bench_histogram_quantile(histogram, 0.5)) / 1000 }

  package func report() {
    for (key, fraction) in [("p50-us", 0.5), ("p99-us", 0.99), ("p99.9-us", 0.999)] {
      bench_report(key, Double(bench_histogram_quantile(histogram, fraction)) / 1000)
    }
  }
}
