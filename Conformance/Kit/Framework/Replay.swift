/// The line that a failure prints, and that does the same again when a shell runs it.
enum Replay {
  /// How long the command waits unless it is told otherwise.
  private static let usualPatience = Duration.seconds(60)

  /// For a rule. Without a command that knows the backend it is a line of code.
  static func line(_ rule: Rule, on subject: Subject, _ options: Options) -> String {
    let isKnown = Subject.all.contains { $0.name == subject.name }
    guard let command = options.command ?? (isKnown ? kitsOwn : options.scenarioExecutable) else {
      return "verify(…, rules: Catalogue.rules(matching: \"\(rule.id)\"), options: Options(seed: \(options.seed)))"
    }
    return "\(quoted(command)) --backend \(subject.name) --rule \(rule.id) --seed \(options.seed)"
      + (options.scale.map { " --scale \($0)" } ?? "") + patience(options.patience)
  }

  /// For a history.
  static func line(history: String, on backends: [String], command: String?, patience: Duration) -> String {
    "\(quoted(command ?? kitsOwn)) --backend \(backends.joined(separator: ",")) --replay \(history)"
      + self.patience(patience)
  }

  private static let kitsOwn = "hawt-conformance"

  private static func patience(_ patience: Duration) -> String {
    patience == usualPatience ? "" : " --patience \(max(1, patience.components.seconds))"
  }

  /// One word to a shell.
  private static func quoted(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      case UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "+"): true
      default: false
      }
    }
    return isPlain ? text : "'\(text.replacing("'", with: "'\\''"))'"
  }
}
