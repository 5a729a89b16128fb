import HawtConformance

/// `hawt-conformance`: proves, or disproves, that backends keep the rules. What each option is for, `options` says.
struct ConformanceCommand {
  var backend: String?
  var rule: String?
  var format: Format?
  var seed: UInt64?
  var repetitions: Int?
  var scale: Double?
  var patience: Int?
  var failFast = false
  var matrix = false
  var list = false
  var histories = HistoryArguments()

  /// Does what the command line asked for.
  ///
  /// - Parameters:
  ///   - subjects: the backends that are meant if the command line names none.
  ///   - others: those that it may name as well.
  /// - Throws: `ExitCode` 1 or 2 for what was found, `UsageError` for a command line that means nothing.
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
    for rule in rules {
      print("\(rule.id)  \(rule.level.rawValue)  \(rule.title)")
      print("      why it matters: \(rule.why)")
      print("      where to look:  \(rule.whereToLook.joined(separator: ", "))")
      let needs = rule.capabilities.map(\.what).sorted()
      if !needs.isEmpty { print("      what it needs:  \(needs.joined(separator: ", "))") }
    }
  }

  private func printMatrix(_ subjects: [Subject]) throws {
    let table = try MatrixTable(of: subjects)
    if format == .json {
      printJSON(MatrixDocument(table))
    } else {
      print(table)
      for failure in table.failures { print("FAILED   \(failure)") }
      for difference in table.differences { print("DIFFERS  \(difference)") }
      print(
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
        throw UsageError(
          "backend '\(name)' is not built in; there are: \(known.map(\.name).joined(separator: ", "))")
      }
      return subject
    }
  }
}
