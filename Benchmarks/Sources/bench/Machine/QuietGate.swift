import Glibc

/// Waits until nobody else uses the machine, within bounds: a busy machine makes the suite slower and less exact, never
/// endless.
struct QuietGate {
  /// How long to look, and how much of one CPU others may use meanwhile.
  private static let look: Double = 0.1
  private static let limit = 0.15
  /// How long to wait before one sample, and before all samples together.
  private static let longestWait: Double = 10
  private var patience: Double

  init(patience: Double) { self.patience = patience }

  mutating func wait() throws(BenchError) {
    var waited = 0.0
    while try load() > Self.limit, waited < Self.longestWait, patience > 0 {
      // Looking takes a moment as well; what is counted is about right.
      pause(0.4)
      waited += 0.5
      patience -= 0.5
    }
  }

  private func load() throws(BenchError) -> Double {
    let before = try ProcessorTime.now()
    pause(Self.look)
    return (try ProcessorTime.now().busy - before.busy) / Self.look
  }

  private func pause(_ seconds: Double) { usleep(UInt32(seconds * 1e6)) }
}
