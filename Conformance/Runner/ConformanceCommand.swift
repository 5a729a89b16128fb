#if ConformanceCommand
  import ArgumentParser
  import HawtConformance

  /// `hawt-conformance`: proves, or disproves, that backends keep the rules.
  struct ConformanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      // A third party's command has a name of its own.
      commandName: CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "hawt-conformance",
      abstract: "Checks every rule of RULES.md on dispatchers made with the chosen backends.",
      discussion: "Exit code: 0 all conform, 1 a rule is broken, 2 backends differ, 3 wrong usage, 4 it could not be "
        + "done.")

    @Option(help: "Backends, joined by commas; the command's own by default.")
    var backend: String?

    @Option(help: "Rule IDs, joined by commas; a trailing * stands for the rest: 'M*,Q4'. All by default.")
    var rule: String?

    @Option(
      help: "text for people (the default), tap, json or junit for programs; --list, --matrix, --compare: text or json."
    )
    var format: Format?

    @Option(help: "Where randomness starts; chosen and printed by default.")
    var seed: UInt64?

    @Option(name: .customLong("repeat"), help: "How many times, each with the next seed; once by default.")
    var repetitions: Int?

    @Option(help: "How much work the checks do, 1 being that of a release build.")
    var scale: Double?

    @Option(help: "Seconds to wait for an event before it counts as lost; 60 by default.")
    var patience: Int?

    @Flag(help: "Leave out a rule's other checks once one has failed.")
    var failFast = false

    @Flag(help: "Print what each backend says of each kind of descriptor, and stop.")
    var matrix = false

    @Flag(help: "Print the rules and stop.")
    var list = false

    @OptionGroup(title: "Histories")
    var histories: HistoryArguments

    /// Refuses what does not combine.
    func validate() throws { try validateOptions() }

    /// Does what the command line asked for.
    ///
    /// - Parameters:
    ///   - subjects: the backends that are meant if the command line names none.
    ///   - others: those that it may name as well.
    /// - Throws: `ExitCode` 1 or 2 for what was found, `ValidationError` for a command line that means nothing.
    func run(on subjects: [Subject], others: [Subject]) throws {
      let rules = Catalogue.rules(matching: rule ?? "*")
      let mode = try mode()
      if mode == .list { return format == .json ? printJSON(RuleList(rules)) : printList(rules) }
      let subjects = try chosenSubjects(among: subjects, others)
      switch mode {
      case .compare, .replay:
        try histories.run(on: subjects, seed: seed, patience: patience ?? 60, asJSON: format == .json)
      case .matrix: try printMatrix(subjects)
      case .list, .verify:
        let runs = verify(subjects, rules)
        if !runs.allSatisfy({ $0.report.isConforming }) { throw ExitCode(1) }
      }
    }

    /// Looks at every rule on every backend, as often as asked, and has it written.
    private func verify(_ subjects: [Subject], _ rules: [Rule]) -> [Run] {
      let repetitions = repetitions ?? 1
      var writer = (format ?? .text).makeWriter(for: Plan(subjects: subjects, rules: rules, repetitions: repetitions))
      var runs: [Run] = []
      let first = Options(seed: seed).seed
      for repetition in 1...repetitions {
        // The same seed for each backend, so that they are given the same to do.
        var options = Options(
          seed: first &+ UInt64(repetition - 1), scale: scale, patience: .seconds(patience ?? 60),
          countsDescriptors: true)
        options.stopsAtFailure = failFast
        options.command = CommandLine.arguments.first
        for subject in subjects {
          var run = Run(subject: subject, seed: options.seed, repetition: repetition)
          writer.began(run)
          for (index, rule) in rules.enumerated() {
            writer.began(rule, number: index + 1)
            let result = verifyAndWait(rule, on: subject, options: options)
            run.results.append(result)
            writer.ended(result, in: run)
          }
          writer.ended(run)
          runs.append(run)
        }
      }
      writer.ended(runs)
      return runs
    }

    private func printList(_ rules: [Rule]) {
      let output = Output.standard
      for rule in rules {
        output.print("\(rule.id)  \(rule.level.rawValue)  \(rule.title)")
        output.print("      why it matters: \(rule.why)")
        output.print("      where to look:  \(rule.whereToLook.joined(separator: ", "))")
        let needs = rule.capabilities.map(\.what).sorted()
        if !needs.isEmpty { output.print("      what it needs:  \(needs.joined(separator: ", "))") }
      }
    }

    private func printMatrix(_ subjects: [Subject]) throws {
      let output = Output.standard
      let table = try MatrixTable(of: subjects)
      if format == .json {
        printJSON(MatrixDocument(table))
      } else {
        output.print("\(table)")
        for failure in table.failures { output.print("FAILED   \(failure)") }
        for difference in table.differences { output.print("DIFFERS  \(difference)") }
        output.print(
          "matrix: \(table.count) cells on \(subjects.map(\.name).joined(separator: ", ")), "
            + "\(table.failures.count) failed, \(table.differences.count) differ")
      }
      if !table.failures.isEmpty { throw ExitCode(1) }
      if !table.differences.isEmpty { throw ExitCode(2) }
    }

    private func chosenSubjects(among subjects: [Subject], _ others: [Subject]) throws -> [Subject] {
      guard let backend else { return subjects }
      let known = subjects + others
      return try parts(of: backend, "--backend").map { name in
        guard let subject = known.first(where: { $0.name == name }) else {
          throw ValidationError(
            "backend '\(name)' is not built in; there are: \(known.map(\.name).joined(separator: ", "))")
        }
        return subject
      }
    }
  }
#endif
