public import HawtDispatch

/// Runs rules on dispatchers made with one backend, one after the other.
///
/// - Parameters:
///   - subject: the backend under test.
///   - rules: which rules; all by default.
///   - options: seed, size and patience.
///   - progress: told of each rule as soon as its result is known, in order.
public func verify(
  _ subject: Subject, rules: [Rule] = Catalogue.rules, options: Options = Options(),
  progress: @escaping @Sendable (RuleResult) -> Void = { _ in }
) async -> Report {
  await onThread { verifyAndWait(subject, rules: rules, options: options, progress: progress) }
}

/// Runs rules on dispatchers made with anybody's backend, by its type: all of them, unless some are chosen.
///
/// - Parameters:
///   - type: the backend under test.
///   - knownDifferences: where it is known to be unlike the rules; none, for a backend that conforms.
///   - rules: which rules; all by default.
///   - options: seed, size and patience.
///   - progress: told of each rule as soon as its result is known, in order.
public func verify<B: PollingBackend & ~Copyable>(
  _ type: B.Type, knownDifferences: [KnownDifference] = [], rules: [Rule] = Catalogue.rules,
  options: Options = Options(), progress: @escaping @Sendable (RuleResult) -> Void = { _ in }
) async -> Report {
  await verify(
    Subject(type, knownDifferences: knownDifferences), rules: rules, options: options, progress: progress)
}

/// Runs one rule on one backend: what a test framework calls, once per case.
public func verify(_ rule: Rule, on subject: Subject, options: Options = Options()) async -> RuleResult {
  await onThread { verifyAndWait(rule, on: subject, options: options) }
}

/// The same, for a thread that may block. It leaves Swift's own thread pool, and the descriptors that this opens now and
/// then, out of the process, so that all descriptors can be counted.
public func verifyAndWait(
  _ subject: Subject, rules: [Rule] = Catalogue.rules, options: Options = Options(),
  progress: (RuleResult) -> Void = { _ in }
) -> Report {
  let results = rules.map { rule in
    let result = verifyAndWait(rule, on: subject, options: options)
    progress(result)
    return result
  }
  return Report(subject: subject, seed: options.seed, results: results)
}

/// The same for one rule.
public func verifyAndWait(_ rule: Rule, on subject: Subject, options: Options = Options()) -> RuleResult {
  let start = Moment.now
  var evidence: [String] = []
  var failures: [String] = []
  var details: [String] = []
  let missing = rule.missing(options)
  for check in rule.checks where missing.isEmpty {
    var outcome = run(check, of: rule, on: subject, options: options)
    if let known = subject.difference(inCheck: check.name, of: rule.id) { outcome = judge(outcome, known: known) }
    evidence += outcome.evidence
    details += outcome.details
    failures += outcome.failures.map { "\(check.name): \($0)" }
    if options.stopsAtFailure && !failures.isEmpty { break }
  }
  failures += subject.unknownChecks(of: rule).map {
    "a difference is declared for '\($0)', which is no check of \(rule.id)"
  }
  if rule.checks.isEmpty { failures.append("the rule has no check") }
  let status: RuleResult.Status =
    if rule.level == .untested {
      .skipped("declared as untested")
    } else if !missing.isEmpty {
      .skipped("needs " + missing.map(\.what).joined(separator: ", and "))
    } else {
      failures.isEmpty ? .passed : .failed
    }
  return RuleResult(
    rule: rule, status: status, evidence: evidence, details: details, failures: failures, duration: start.elapsed,
    replay: Replay.line(rule, on: subject, options))
}

/// What becomes of a check that is declared to fail.
private func judge(_ outcome: Outcome, known: (phrase: String, why: String)) -> Outcome {
  guard !outcome.failures.isEmpty else {
    let text = "it passes although a difference is declared for it (\(known.why)): take the declaration out"
    return (outcome.evidence, [], [text])
  }
  let others = outcome.failures.filter { !$0.contains(known.phrase) }
  return (["a known difference (\(known.why))"], [], others)
}

/// Checks block, and Swift's own threads must not.
private func onThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
  await withCheckedContinuation { continuation in
    Thread { continuation.resume(returning: body()) }.detach()
  }
}

private typealias Outcome = (evidence: [String], details: [String], failures: [String])

/// Runs a check on a thread of its own, so that one that never ends can be given up.
private func run(_ check: Check, of rule: Rule, on subject: Subject, options: Options) -> Outcome {
  let context = CheckContext(
    subject: subject, subjects: Subject.builtIn, rule: rule, check: check.name, options: options)
  let hasEnded = Shared(false)
  let thread = Thread {
    perform(check, in: context)
    hasEnded.with { $0 = true }
  }
  // Waits inside a check are bounded by the patience each; what lasts longer than several of them hangs in the library.
  if hasEnded.wait(atMost: options.patience * 4 + .seconds(20), until: { $0 }) {
    thread.join()
  } else {
    thread.detach()
    context.fail("it never ended; its thread was left behind")
  }
  let noted = context.noted
  return (
    noted.evidence.map { $0.count == 1 ? $0.text : "\($0.count) \($0.text)" }, context.notedDetails, noted.failures
  )
}

private func perform(_ check: Check, in context: CheckContext) {
  let before = Process.descriptors
  do {
    try check.body(context)
    if context.noted.evidence.isEmpty && !context.hasFailed { context.fail("it recorded no evidence") }
  } catch {
    context.fail("\(error)")
  }
  context.cleanUp()
  // A sanitizer's reports go through a symbolizer, at the other end of pipes of its own.
  let isSanitized = Process.isThreadSanitized || Process.isAddressSanitized
  guard context.options.countsDescriptors, !isSanitized, !context.hasFailed else { return }
  var after = Process.descriptors
  let start = Moment.now
  // The last reference to a dispatcher may be dropped by a thread that is just ending.
  while after.count > before.count && start.elapsed < .seconds(2) {
    context.pause(.milliseconds(5))
    after = Process.descriptors
  }
  context.expect(
    after.count <= before.count,
    "it left descriptors behind: \(Set(after).subtracting(before).sorted().joined(separator: ", "))")
}
