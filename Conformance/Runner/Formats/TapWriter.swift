#if ConformanceCommand
  import Foundation
  import HawtConformance

  /// The Test Anything Protocol, version 13: what `prove` reads. A line as soon as a result is known.
  struct TapWriter: ReportWriter {
    private let output: Output
    private var number = 0

    init(_ plan: Plan, _ output: Output) {
      self.output = output
      output.print("TAP version 13")
      output.print("1..\(plan.count)")
    }

    mutating func began(_ run: Run) {
      output.print("# \(run.subject.name): seed \(run.seed), repetition \(run.repetition)")
    }

    mutating func ended(_ result: RuleResult, in run: Run) {
      number += 1
      let name = escaped("\(result.rule.id) on \(run.subject.name): \(result.rule.title)")
      switch result.status {
      case .passed: output.print("ok \(number) - \(name)")
      case .skipped(let reason): output.print("ok \(number) - \(name) # SKIP \(escaped(reason))")
      case .failed: output.print("not ok \(number) - \(name)")
      }
      printDetails(result)
    }

    func ended(_ runs: [Run]) {
      for run in runs { output.print("# \(run.report.summary)") }
    }

    /// A hash would begin a directive.
    private func escaped(_ text: String) -> String {
      text.replacing("\\", with: "\\\\").replacing("#", with: "\\#").replacing("\n", with: " ")
    }

    /// A block of YAML, in which every text is written as JSON has it: that is YAML too, whatever the text contains.
    private func printDetails(_ result: RuleResult) {
      output.print("  ---")
      output.print("  duration_ms: \(result.duration.inMilliseconds)")
      printList("evidence", result.evidence)
      printList("details", result.details)
      if result.status == .failed {
        printList("failures", result.failures)
        output.print("  why: \(quoted(result.rule.why))")
        printList("look", result.rule.whereToLook)
        output.print("  replay: \(quoted(result.replay))")
      }
      output.print("  ...")
    }

    private func printList(_ name: String, _ texts: [String]) {
      guard !texts.isEmpty else { return }
      output.print("  \(name):")
      for text in texts { output.print("    - \(quoted(text))") }
    }

    private func quoted(_ text: String) -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      // A text always has a form in JSON.
      return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }
  }
#endif
