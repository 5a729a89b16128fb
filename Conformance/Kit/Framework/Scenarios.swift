import Glibc

private let scenarioVariable = "HAWT_CONFORMANCE_SCENARIO"
private let subjectVariable = "HAWT_CONFORMANCE_SUBJECT"
private let executableVariable = "HAWT_CONFORMANCE_EXECUTABLE"

/// Whether this process said that it can be its own child.
private let isOwnScenarioHost = Tally()

/// Runs a scenario and ends the process, if this process was started for that; otherwise returns at once.
///
/// Some rules are about traps, forks and whole processes; their checks start a child that runs this very executable.
/// Call it first in `main`. A host that cannot (a test runner, say) names an executable that does, in the environment
/// variable `HAWT_CONFORMANCE_EXECUTABLE` or in `Options.scenarioExecutable`; one called `hawt-conformance` beside the
/// host or its test bundle is found without.
///
/// - Parameter subjects: the backends that a child may be asked to use.
public func runScenarioIfAsked(subjects: [Subject] = Subject.builtIn) {
  isOwnScenarioHost.set(1)
  guard let asked = Process.environment(scenarioVariable) else { return }
  let parts = asked.split(separator: "/", maxSplits: 1).map(String.init)
  guard parts.count == 2,
    let rule = Catalogue.rules.first(where: { $0.id == parts[0] }),
    let scenario = rule.scenarios.first(where: { $0.name == parts[1] }),
    let subject = subjects.first(where: { $0.name == Process.environment(subjectVariable) })
  else {
    printError("there is no scenario '\(asked)' for '\(Process.environment(subjectVariable) ?? "")'")
    exit(3)
  }
  exit(run(scenario, of: rule, on: subject, subjects))
}

/// Runs the scenario and returns the exit code of its process. A function of its own: whatever it made is gone when the
/// process ends, and a leak checker sees what is not.
private func run(_ scenario: Scenario, of rule: Rule, on subject: Subject, _ subjects: [Subject]) -> CInt {
  let seed = Process.environment("HAWT_CONFORMANCE_SEED").flatMap(UInt64.init) ?? 1
  let scale = Process.environment("HAWT_CONFORMANCE_SCALE").flatMap(Double.init)
  let context = CheckContext(
    subject: subject, subjects: subjects, rule: rule, check: scenario.name,
    options: Options(seed: seed, scale: scale, patience: .seconds(30)))
  do { try scenario.body(context) } catch { context.fail("\(error)") }
  context.cleanUp()
  for failure in context.noted.failures { printError("failure: \(failure)") }
  for evidence in context.noted.evidence { print("evidence: \(evidence.count) \(evidence.text)") }
  fflush(nil)
  return context.hasFailed ? 1 : 0
}

func printError(_ text: String) {
  let line = Array((text + "\n").utf8)
  _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}

extension CheckContext {
  /// Runs a scenario of this rule in a child process, and waits for its end.
  func runChild(_ scenario: String, environment: [String: String] = [:]) throws -> ChildOutcome {
    try require(
      rule.scenarios.contains { $0.name == scenario }, "the kit has no scenario '\(scenario)' for \(rule.id)")
    guard let executable = options.foundScenarioExecutable else {
      throw CheckFailure("it needs \(Capability.childProcess.what)")
    }
    var variables = environment
    variables[scenarioVariable] = "\(rule.id)/\(scenario)"
    variables[subjectVariable] = subject.name
    variables["HAWT_CONFORMANCE_SEED"] = "\(options.seed)"
    variables["HAWT_CONFORMANCE_SCALE"] = "\(options.effectiveScale)"
    // A crash is expected: the backtracer would cost seconds each time and fill the log.
    variables["SWIFT_BACKTRACE"] = "enable=no"
    return try spawn(executable, environment: variables, atMost: patience * 2)
  }

  /// Expects the scenario to end its process with a message on standard error that contains each of `texts`.
  func expectTrap(in scenario: String, naming texts: [String], environment: [String: String] = [:]) throws {
    let outcome = try runChild(scenario, environment: environment)
    guard expect(!outcome.succeeded, "'\(scenario)' went on instead of trapping; it said: \(outcome.excerpt)") else {
      return
    }
    expect(outcome.exitCode != 3 && outcome.exitCode != 1, "'\(scenario)' failed before the trap: \(outcome.excerpt)")
    expect(!outcome.timedOut, "'\(scenario)' hung instead of trapping")
    for text in texts {
      expect(
        outcome.standardError.contains(text),
        "the message of the trap in '\(scenario)' does not contain '\(text)': \(outcome.excerpt)")
    }
    if !hasFailed { record("traps that name the object") }
  }

  /// Expects the scenario to end well, and takes over its evidence.
  func expectSuccess(of scenario: String, environment: [String: String] = [:]) throws {
    let outcome = try runChild(scenario, environment: environment)
    expect(outcome.succeeded, "the child process for '\(scenario)' failed: \(outcome.excerpt)")
    for line in outcome.standardOutput.split(separator: "\n") where line.hasPrefix("evidence: ") {
      let words = line.dropFirst("evidence: ".count).split(separator: " ", maxSplits: 1)
      if words.count == 2, let count = Int(words[0]) { record(String(words[1]), count) }
    }
  }
}

extension Options {
  /// The executable that a child process is; nil: there is none.
  var foundScenarioExecutable: String? {
    let given = scenarioExecutable ?? Process.environment(executableVariable)
    if let given, given.contains("/") { return access(given, X_OK) == 0 ? given : nil }
    if given == nil, isOwnScenarioHost.value == 1 { return "/proc/self/exe" }
    // A test bundle is an argument of the process that runs it; what the package built lies beside it.
    let places = [Process.link("/proc/self/exe") ?? ""] + Process.arguments
    for place in places where place.hasPrefix("/") {
      var directory = place.split(separator: "/", omittingEmptySubsequences: true).dropLast()
      for _ in 0..<3 {
        let candidate = "/" + directory.joined(separator: "/") + "/" + (given ?? "hawt-conformance")
        if access(candidate, X_OK) == 0 { return candidate }
        directory = directory.dropLast()
      }
    }
    return nil
  }
}
