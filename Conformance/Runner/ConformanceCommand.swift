import ArgumentParser
import Glibc
import HawtConformance

/// `hawt-conformance`: proves, or disproves, that backends keep the rules.
struct ConformanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hawt-conformance",
    abstract: "Checks every rule of RULES.md on dispatchers made with the chosen backends.",
    discussion: "Exit code: 0 all conform, 1 a rule is broken, 2 the backends differ, 3 wrong usage.")

  @Option(help: "Backends, joined by commas; those that are built in by default.")
  var backend: String?

  @Option(help: "Rule IDs, joined by commas; a trailing * stands for the rest: 'M*,Q4'.")
  var rule: String = "*"

  @Option(help: "Where randomness starts; chosen and printed by default.")
  var seed: UInt64?

  @Option(name: .customLong("repeat"), help: "How many times, each with the next seed.")
  var repetitions: Int = 1

  @Option(help: "How much work the checks do, 1 being that of a release build.")
  var scale: Double?

  @Option(help: "Seconds to wait for an event before it counts as lost.")
  var patience: Int = 60

  @Flag(help: "Print the rules and stop.")
  var list = false

  @OptionGroup(title: "Histories")
  var histories: HistoryArguments

  func run() throws {
    let rules = Catalogue.rules(matching: rule)
    guard !rules.isEmpty else { usage("no rule matches '\(rule)'; --list prints them") }
    guard repetitions >= 1, patience >= 1 else { usage("--repeat and --patience must be at least 1") }
    if list {
      for rule in rules { print("\(rule.id)  \(rule.level.rawValue)  \(rule.title)") }
      return
    }
    let subjects = try chosenSubjects()
    if histories.areAsked { return try histories.run(on: subjects, seed: seed, patience: patience) }
    var isConforming = true
    for repetition in 0..<repetitions {
      for subject in subjects {
        var options = Options(
          seed: seed, scale: scale, patience: .seconds(patience), countsDescriptors: true)
        options.seed &+= UInt64(repetition)
        print("\(subject.name): seed \(options.seed)")
        let report = verifyAndWait(subject, rules: rules, options: options) {
          print($0.text)
          fflush(nil)
        }
        print(report.summary)
        fflush(nil)
        isConforming = isConforming && report.isConforming
      }
    }
    if !isConforming { throw ExitCode(1) }
  }

  private func chosenSubjects() throws -> [Subject] {
    let builtIn = Subject.builtIn
    guard let backend else { return builtIn }
    return backend.split(separator: ",").map { name in
      guard let subject = builtIn.first(where: { $0.name == name }) else {
        usage("backend '\(name)' is not built in; there are: \(builtIn.map(\.name).joined(separator: ", "))")
      }
      return subject
    }
  }

  private func usage(_ text: String) -> Never {
    print("hawt-conformance: \(text)")
    Glibc.exit(3)
  }
}
