import HawtConformance

/// What the command line consists of.
extension ConformanceCommand {
  static var options: [CommandOption] {
    [
      .value("backend", "names", "Backends, joined by commas; the command's own by default.", \.backend),
      .value(
        "rule", "ids", "Rule IDs, joined by commas; a trailing * stands for the rest: 'M*,Q4'. All by default.", \.rule),
      .choice(
        "format",
        "How it is written: text for people (the default), the others for programs; --list, --matrix, --compare: text or json.",
        \.format),
      .value("seed", "number", "Where randomness starts; chosen and printed by default.", \.seed),
      .value("repeat", "times", "How many times, each with the next seed; once by default.", \.repetitions),
      .value("scale", "factor", "How much work the checks do, 1 being that of a release build.", \.scale),
      .value(
        "patience", "seconds", "How long to wait for an event before it counts as lost; 60 by default.", \.patience),
      .flag("fail-fast", "Leave out a rule's other checks once one has failed.", \.failFast),
      .flag("matrix", "Print what each backend says of each kind of descriptor, and stop.", \.matrix),
      .flag("list", "Print the rules and stop.", \.list),
      .flag(
        "compare", "Play histories on every backend, compare what is seen, and have the model judge it.",
        \.histories.compare),
      .value(
        "histories", "count", "How many histories, or how often to replay one that races; 10000 by default.",
        \.histories.histories),
      .choice(
        "pace", "Which histories: compared byte by byte, judged by the model, or both (the default).", \.histories.pace),
      .value("trace", "file", "Write what was observed there, as JSON lines.", \.histories.trace),
      .value(
        "replay", "history",
        "Play one history again, by the name that a failure prints: lockstep/SEED or racing/SEED, and steps.",
        \.histories.replay),
    ]
  }

  /// What the command is called: a third party's has a name of its own.
  static var name: String {
    CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "hawt-conformance"
  }

  static var help: String {
    let usages = options.map { option in option.name + (option.value.map { " <\($0)>" } ?? "") }
    let width = usages.map(\.count).max() ?? 0
    let lines = zip(usages, options).map { usage, option in
      "  \(usage)\(String(repeating: " ", count: width - usage.count))  \(option.help)"
    }
    return """
      Checks every rule of RULES.md on dispatchers made with the chosen backends.
      Exit code: 0 all conform, 1 a rule is broken, 2 backends differ, 3 wrong usage.

      Usage: \(name) [option ...]

      \(lines.joined(separator: "\n"))
      """
  }

  /// Reads the words after the command's name; nil if they ask for help.
  ///
  /// - Throws: `UsageError` for what means nothing, or does not combine.
  init?(words: some Sequence<String>) throws {
    let words = Array(words)
    if words.contains(where: { $0 == "--help" || $0 == "-h" }) { return nil }
    var rest = words[...]
    var given: Set<String> = []
    while let word = rest.popFirst() {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let option = Self.options.first(where: { $0.name == parts[0] }) else {
        throw UsageError("'\(parts[0])' is no option")
      }
      guard given.insert(option.name).inserted else { throw UsageError("\(option.name) is given twice") }
      var value = parts.dropFirst().first
      if option.value != nil, value == nil, rest.first?.hasPrefix("--") == false { value = rest.popFirst()?[...] }
      guard (value == nil) == (option.value == nil) else {
        throw UsageError("\(option.name) takes \(option.value.map { "a value: <\($0)>" } ?? "no value")")
      }
      guard option.set(&self, value ?? "") else {
        throw UsageError("\(option.name) is '\(value ?? "")', and must be <\(option.value ?? "")>")
      }
    }
    try validateOptions()
  }
}
