import CSupport
import Glibc

/// One of those that are compared: takes a sample of itself.
struct Subject {
  let name: String
  /// Starts programs, waits for them, and says what came out; `cpu-seconds` must hold the CPU time of them all.
  let sample: () throws -> Figures
}

/// Takes samples when the machine is quiet, and takes them again when it did not stay so.
struct Sampler {
  /// How much of one CPU others may use during a sample.
  private static let foreignLimit = 0.10
  private static let attempts = 3
  private var gate: QuietGate
  /// How many samples were disturbed in every attempt.
  private(set) var disturbed = 0
  /// How many samples may still be taken again.
  private var repetitions: Int
  /// On a busy machine all takes longer: a comparison that has taken this long does with fewer rounds.
  private let secondsPerComparison: Double
  private let fewestRounds: Int

  init(quick: Bool) {
    gate = QuietGate(patience: quick ? 15 : 90)
    repetitions = quick ? 10 : 60
    secondsPerComparison = quick ? 6 : 40
    fewestRounds = quick ? 2 : 3
  }

  /// Takes turns, so that whatever changes slowly on the machine changes for all: A, B, C, A, B, C, …
  mutating func interleave(_ subjects: [Subject], rounds: Int) throws -> Results {
    var results = Results(subjects.map(\.name))
    let began = bench_now()
    for round in 0..<rounds {
      if round >= fewestRounds, Double(bench_now() - began) / 1e9 > secondsPerComparison { break }
      for subject in subjects { results.add(try take(subject), for: subject.name) }
    }
    return results
  }

  /// The attempt that was disturbed least; the first that was not disturbed is the last one.
  private mutating func take(_ subject: Subject) throws -> Figures {
    var best: (figures: Figures, foreign: Double)?
    for attempt in 0..<Self.attempts {
      if attempt > 0 {
        guard repetitions > 0 else { break }
        repetitions -= 1
      }
      try gate.wait()
      let (began, busy, own) = (bench_now(), try ProcessorTime.now().busy, Self.ownTime())
      let figures = try subject.sample()
      let wall = Double(bench_now() - began) / 1e9
      let ours = (figures["cpu-seconds"] ?? 0) + Self.ownTime() - own
      let foreign = (try ProcessorTime.now().busy - busy - ours) / wall
      if foreign < best?.foreign ?? .infinity { best = (figures, foreign) }
      if foreign < Self.foreignLimit { return best!.figures }
    }
    disturbed += 1
    return best!.figures
  }

  private static func ownTime() -> Double { Double(bench_cpu_time()) / 1e9 }
}
