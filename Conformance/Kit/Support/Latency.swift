/// Keeps the calling thread busy for `duration`.
func spin(_ duration: Duration) {
  let start = Moment.now
  while start.elapsed < duration {}
}

/// A plain thread that is handed something and notes when it got it: what the machine itself makes of "at once" now.
private final class PlainHandover: Sendable {
  private let asked = Shared(0)
  private let answered = Shared<Moment?>(nil)

  init() {
    let (asked, answered) = (asked, answered)
    Thread {
      var served = 0
      while asked.wait(atMost: .seconds(600), until: { $0 != served }) {
        served = asked.with { $0 }
        if served < 0 { return }
        answered.with { $0 = .now }
      }
    }.detach()
  }

  deinit { asked.with { $0 = -1 } }

  func measure() -> Duration {
    answered.with { $0 = nil }
    let start = Moment.now
    asked.with { $0 += 1 }
    _ = answered.wait(atMost: .seconds(10)) { $0 != nil }
    return (answered.with { $0 } ?? .now) - start
  }
}

extension CheckContext {
  /// Judges a bound on latency as fairly as a busy machine lets one: median of several attempts, allowing for what a
  /// plain thread's wake-up took at the same time, and for the time that other processes took from busy threads; and
  /// the best of some rounds.
  ///
  /// - Parameters:
  ///   - busyThreads: how many threads of this process are busy all the time meanwhile.
  ///   - attempt: one measurement; it must itself give up, by throwing, on what never comes.
  func expectPrompt(
    _ what: String, within bound: Duration = .milliseconds(5), attempts: Int = 9, rounds: Int = 5,
    busyThreads: Int = 0, _ attempt: (_ index: Int) throws -> Duration
  ) rethrows {
    let handover = PlainHandover()
    // Instrumented code is several times slower, and the bound is an order of magnitude.
    let slack = Process.isThreadSanitized || Process.isAddressSanitized ? 5 : 1
    var best: (measured: Duration, allowed: Duration)?
    for round in 0..<rounds {
      var measured: [Duration] = []
      var plain: [Duration] = []
      let (start, used) = (Moment.now, processorTime())
      for index in 0..<attempts {
        plain.append(handover.measure())
        measured.append(try attempt(round * attempts + index))
      }
      let median = measured.sorted()[attempts / 2]
      let stretch = stretching(of: busyThreads, during: start.elapsed, given: processorTime() - used)
      let allowed = bound * slack * stretch + plain.sorted()[attempts / 2] * 3
      if best.map({ median < $0.measured }) ?? true { best = (median, allowed) }
      if median <= allowed { break }
    }
    guard let best else { return }
    if expect(best.measured <= best.allowed, "\(what): took \(best.measured.brief), allowed are \(best.allowed.brief)")
    {
      record("\(what) in \(best.measured.brief)")
    }
  }

  /// How much longer busy threads took because they did not have the processors for themselves: at least 1, and a whole
  /// factor more where there was somebody else at all, as a thread that is put aside stays so for a time slice.
  private func stretching(of busyThreads: Int, during wall: Duration, given used: Duration) -> Double {
    guard busyThreads > 0, used > .zero else { return 1 }
    let share = Double(wall.inNanoseconds) * Double(busyThreads) / Double(used.inNanoseconds)
    return share < 1.1 ? 1 : share + 1
  }
}
