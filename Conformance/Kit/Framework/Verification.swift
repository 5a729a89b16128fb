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
  progress: @Sendable (RuleResult) -> Void = { _ in }
) async -> Report {
  var results: [RuleResult] = []
  for rule in rules {
    let result = await verify(rule, on: subject, options: options)
    progress(result)
    results.append(result)
  }
  return Report(subject: subject, seed: options.seed, results: results)
}

/// Runs all rules on dispatchers made with anybody's backend.
public func verify<B: PollingBackend & ~Copyable>(
  _ type: B.Type, options: Options = Options(), progress: @Sendable (RuleResult) -> Void = { _ in }
) async -> Report {
  await verify(Subject(type), options: options, progress: progress)
}

/// Runs one rule on one backend: what a test framework calls, once per case.
public func verify(_ rule: Rule, on subject: Subject, options: Options = Options()) async -> RuleResult {
  let start = Moment.now
  var evidence: [String] = []
  var failures: [String] = []
  for check in rule.checks {
    let outcome = await run(check, of: rule, on: subject, options: options)
    evidence += outcome.evidence
    failures += outcome.failures.map { "\(check.name): \($0)" }
  }
  let status: RuleResult.Status =
    if rule.level == .untested { .skipped("declared as untested") } else if !failures.isEmpty { .failed } else {
      rule.checks.isEmpty ? .failed : .passed
    }
  if rule.checks.isEmpty && rule.level != .untested { failures.append("the rule has no check") }
  let replay =
    "hawt-conformance --backend \(subject.name) --rule \(rule.id) --seed \(options.seed)"
    + (options.scale.map { " --scale \($0)" } ?? "")
  return RuleResult(
    rule: rule, status: status, evidence: evidence, failures: failures, duration: start.elapsed, replay: replay)
}

private typealias Outcome = (evidence: [String], failures: [String])

/// Runs a check on a thread of its own: it blocks, and Swift's own threads must not. One that never ends is given up.
private func run(_ check: Check, of rule: Rule, on subject: Subject, options: Options) async -> Outcome {
  let context = CheckContext(
    subject: subject, subjects: Subject.builtIn, rule: rule, check: check.name, options: options)
  // Waits inside a check are bounded by the patience each; what lasts longer than several of them hangs in the library.
  let bound = options.patience * 4 + .seconds(20)
  let hasEnded = Shared(false)
  await withCheckedContinuation { continuation in
    Thread {
      let worker = Thread {
        perform(check, in: context)
        hasEnded.with { $0 = true }
      }
      if hasEnded.wait(atMost: bound, until: { $0 }) {
        worker.join()
      } else {
        worker.detach()
        context.fail("it never ended; its thread was left behind")
      }
      continuation.resume()
    }.detach()
  }
  let noted = context.noted
  return (noted.evidence.map { $0.count == 1 ? $0.text : "\($0.count) \($0.text)" }, noted.failures)
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
