#if ConformanceCommand
  import Glibc
  import HawtConformance

  /// For people: a line for each rule as soon as it is known, and at the end a table of all backends, with every failure once
  /// more, because what comes last is what is looked at first.
  struct TextWriter: ReportWriter {
    private let plan: Plan
    private let output: Output
    private var progress = ProgressLine()

    init(_ plan: Plan, _ output: Output) {
      self.plan = plan
      self.output = output
    }

    mutating func began(_ run: Run) {
      let repetition = plan.repetitions > 1 ? " (\(run.repetition) of \(plan.repetitions))" : ""
      output.print("\(run.subject.name): seed \(run.seed)\(repetition)")
    }

    mutating func began(_ rule: Rule, number: Int) {
      progress.show("\(number)/\(plan.rules.count) \(rule.id) \(rule.title)")
    }

    mutating func ended(_ result: RuleResult, in run: Run) {
      progress.clear()
      output.print(result.text)
    }

    mutating func ended(_ runs: [Run]) {
      output.print("")
      for line in table(runs).lines { output.print(line) }
      let failed = runs.flatMap { run in run.results.filter { $0.status == .failed }.map { (run, $0) } }
      if !failed.isEmpty { output.print("\nWhat failed:") }
      for (run, result) in failed { output.print("\(run.subject.name) \(result.text)") }
      output.print("")
      for run in runs { output.print(run.report.summary) }
    }

    /// A row for each rule, a column for each backend.
    private func table(_ runs: [Run]) -> Table {
      let rows = plan.rules.enumerated().map { index, rule in
        let cells = plan.subjects.map { subject in
          cell(runs.filter { $0.subject.name == subject.name }.map { $0.results[index] })
        }
        return [rule.id] + cells + [shortened(rule.title)]
      }
      return Table([["rule"] + plan.subjects.map(\.name) + ["what it promises"]] + rows)
    }

    private func cell(_ results: [RuleResult]) -> String {
      let failures = results.count { $0.status == .failed }
      if failures > 0 { return results.count == 1 ? "FAILED" : "FAILED \(failures) of \(results.count)" }
      if results.contains(where: { $0.status != .passed }) { return "skipped" }
      let slowest = results.map(\.duration).max() ?? .zero
      return "ok \(slowest.inMilliseconds) ms"
    }

    private func shortened(_ title: String) -> String { title.count <= 70 ? title : title.prefix(69) + "…" }
  }

  /// What is going on, on standard error, gone again when there is something to say. Only for a terminal: in a log, a line for
  /// each rule is progress enough.
  private struct ProgressLine {
    private let isTerminal = isatty(2) == 1
    private var isShown = false

    mutating func show(_ text: String) {
      guard isTerminal else { return }
      clear()
      write(String(text.prefix(78)))
      isShown = true
    }

    mutating func clear() {
      guard isShown else { return }
      write("\r\u{1b}[K")
      isShown = false
    }

    private func write(_ text: String) {
      let bytes = Array(text.utf8)
      _ = bytes.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
    }
  }

  extension Duration {
    var inMilliseconds: Int64 { components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000 }
    /// Seconds with three digits behind the point, as the formats for machines have them.
    var inSeconds: String {
      let fraction = String(inMilliseconds % 1_000)
      return "\(inMilliseconds / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }
  }
#endif
