#if ConformanceCommand
  public import ArgumentParser
  import Glibc
  public import HawtConformance

  /// What concerns histories: seeded scripts, played on every backend and judged by a model.
  struct HistoryArguments: ParsableArguments {
    @Flag(help: "Play histories on every backend, compare what is seen, and have the model judge it.")
    var compare = false

    @Option(help: "How many histories, or how often to replay one that races; 10000 by default.")
    var histories: Int?

    @Option(
      help: "Which histories: lockstep (compared byte by byte), racing (judged by the model), or both (the default).")
    var pace: HistoryOptions.Choice?

    @Option(help: "Write what was observed there, as JSON lines.")
    var trace: String?

    @Option(help: "Play one history again, by the name that a failure prints: lockstep/SEED or racing/SEED, and steps.")
    var replay: String?

    /// Whether more than one history is played: one in lockstep shows the same each time.
    var repeats: Bool { !(replay?.hasPrefix(HistoryOptions.Choice.lockstep.rawValue) ?? false) }

    /// Plays them.
    ///
    /// - Parameters:
    ///   - subjects: the backends.
    ///   - seed: where the choice starts; nil: anywhere.
    ///   - patience: seconds.
    ///   - isJSON: whether nothing is printed but one object, at the end.
    /// - Throws: the exit code, 1 the model rejects, 2 the backends differ; `ValidationError` for wrong usage.
    func run(on subjects: [Subject], seed: UInt64?, patience: Int, asJSON isJSON: Bool) throws {
      let count = histories ?? 10_000
      var options = HistoryOptions(seed: seed, count: count, choice: pace ?? .both, patience: .seconds(patience))
      options.command = CommandLine.arguments.first
      let file = try trace.map { path in
        guard let file = fopen(path, "w") else {
          throw ValidationError("the file of --trace, \(path), cannot be written: \(String(cString: strerror(errno)))")
        }
        return file
      }
      defer { if let file { fclose(file) } }
      let writer = file.map { file in { (line: String) in _ = fputs(line + "\n", file) } }
      let say = { (line: String) in if !isJSON { Output.standard.print(line) } }

      let names = subjects.map(\.name).joined(separator: ", ")
      let start = ContinuousClock.now
      HistoryWatch.begin()
      defer { HistoryWatch.end() }
      // Shortening a wrong history takes a minute or two.
      let willPlay = { (name: String) in HistoryWatch.willPlay(name, atMost: 300 + 10 * patience) }
      let report: HistoryReport
      if let replay {
        var isAnnounced = false
        let found = try replayHistory(named: replay, on: subjects, options: options, trace: writer) { name in
          if !isAnnounced { say("replaying \(replay) on \(names)") }
          isAnnounced = true
          willPlay(name)
        }
        guard let found else {
          throw ValidationError("'\(replay)' names no history")
        }
        report = found
      } else {
        say("\(count) histories on \(names): seed \(options.seed)")
        report = try compareHistories(on: subjects, options: options, trace: writer) { done, name in
          willPlay(name)
          if done > 0, done % max(1, count / 10) == 0 { say("  \(done) histories") }
        }
      }
      if isJSON { printJSON(Comparison(report, seed: replay == nil ? options.seed : nil)) }
      say(
        "histories: \(report.histories) on \(report.backends.joined(separator: ", ")), \(report.events) events judged, "
          + "\(report.linesCompared) lines compared, \((ContinuousClock.now - start).components.seconds) s")
      guard let finding = report.finding else { return say("histories: no difference") }
      say("histories: \(finding.kind == .differs ? "the backends differ" : "the model rejects")\n    \(finding)")
      throw ExitCode(finding.kind == .differs ? 2 : 1)
    }
  }

  extension HistoryOptions.Choice: ExpressibleByArgument {}
#endif
