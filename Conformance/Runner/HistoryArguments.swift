public import ArgumentParser
import Glibc
public import HawtConformance

/// What concerns histories: seeded scripts, played on every backend and judged by a model.
struct HistoryArguments: ParsableArguments {
  @Flag(help: "Play histories on every backend, compare what is seen, and have the model judge it.")
  var compare = false

  @Option(help: "How many histories, or how often to replay one that races.")
  var histories: Int = 10_000

  @Option(help: "Which histories: lockstep (compared byte by byte), racing (judged by the model), or both.")
  var pace: HistoryOptions.Choice = .both

  @Option(help: "Write what was observed there, as JSON lines.")
  var trace: String?

  @Option(help: "Play one history again, by the name that a failure prints: lockstep/SEED or racing/SEED, and steps.")
  var replay: String?

  /// Whether histories were asked for.
  var areAsked: Bool { compare || replay != nil }

  /// Plays them.
  ///
  /// - Parameters:
  ///   - subjects: the backends.
  ///   - seed: where the choice starts; nil: anywhere.
  ///   - patience: seconds.
  /// - Throws: the exit code: 1 the model rejects, 2 the backends differ, 3 wrong usage.
  func run(on subjects: [Subject], seed: UInt64?, patience: Int) throws {
    guard histories >= 1 else { usage("--histories must be at least 1") }
    let options = HistoryOptions(seed: seed, count: histories, choice: pace, patience: .seconds(patience))
    let file = trace.map { path in
      guard let file = fopen(path, "w") else { usage("the file of --trace, \(path), cannot be written") }
      return file
    }
    defer { if let file { fclose(file) } }
    let writer = file.map { file in { (line: String) in _ = fputs(line + "\n", file) } }

    let names = subjects.map(\.name).joined(separator: ", ")
    let start = ContinuousClock.now
    HistoryWatch.begin()
    defer { HistoryWatch.end() }
    // Shortening a wrong history takes a minute or two.
    let willPlay = { (name: String) in HistoryWatch.willPlay(name, atMost: 300 + 10 * patience) }
    let report: HistoryReport
    if let replay {
      print("replaying \(replay) on \(names)")
      guard let found = try replayHistory(named: replay, on: subjects, options: options, trace: writer, willPlay) else {
        usage("'\(replay)' names no history")
      }
      report = found
    } else {
      print("\(histories) histories on \(names): seed \(options.seed)")
      fflush(nil)
      report = try compareHistories(on: subjects, options: options, trace: writer) { done, name in
        willPlay(name)
        guard done > 0, done % max(1, histories / 10) == 0 else { return }
        print("  \(done) histories")
        fflush(nil)
      }
    }
    print(
      "histories: \(report.histories) on \(report.backends.joined(separator: ", ")), \(report.events) events judged, "
        + "\(report.linesCompared) lines compared, \((ContinuousClock.now - start).components.seconds) s")
    guard let finding = report.finding else { return print("histories: no difference") }
    print("histories: \(finding.kind == .differs ? "the backends differ" : "the model rejects")\n    \(finding)")
    fflush(nil)
    throw ExitCode(finding.kind == .differs ? 2 : 1)
  }

  private func usage(_ text: String) -> Never {
    print("hawt-conformance: \(text)")
    Glibc.exit(3)
  }
}

extension HistoryOptions.Choice: ExpressibleByArgument {}
