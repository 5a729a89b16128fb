#if ConformanceCommand
  import Foundation
  import HawtConformance

  /// JUnit's XML, as Ant's schema and the readers of continuous integration have it: a suite for each run, a case for each
  /// rule. At the end, because a suite's head says how many failed.
  struct JUnitWriter: ReportWriter {
    private let output: Output
    private var beginnings: [Date] = []

    init(_ output: Output) { self.output = output }

    mutating func began(_ run: Run) { beginnings.append(Date()) }

    func ended(_ runs: [Run]) {
      output.print("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
      output.print("<testsuites>")
      for (index, run) in runs.enumerated() { printSuite(run, number: index, began: beginnings[index]) }
      output.print("</testsuites>")
    }

    private func printSuite(_ run: Run, number: Int, began: Date) {
      let report = run.report
      let time = run.results.reduce(Duration.zero) { $0 + $1.duration }
      let attributes = [
        ("name", run.subject.name), ("package", "hawt-conformance"), ("id", "\(number)"),
        ("timestamp", timestamp(began)), ("hostname", "localhost"), ("tests", "\(run.results.count)"),
        ("failures", "\(report.failed)"), ("errors", "0"), ("skipped", "\(report.skipped)"), ("time", time.inSeconds),
      ]
      output.print("  <testsuite\(text(of: attributes))>")
      output.print("    <properties>")
      let properties = [
        ("backend", run.subject.identity), ("seed", "\(run.seed)"), ("repetition", "\(run.repetition)"),
      ]
      for (name, value) in properties {
        output.print("      <property\(text(of: [("name", name), ("value", value)]))/>")
      }
      output.print("    </properties>")
      for result in run.results { printCase(result, of: run) }
      output.print("    <system-out>\(escaped(evidence(of: run)))</system-out>")
      output.print("    <system-err></system-err>")
      output.print("  </testsuite>")
    }

    private func printCase(_ result: RuleResult, of run: Run) {
      let attributes = [
        ("name", "\(result.rule.id) \(result.rule.title)"), ("classname", "\(run.subject.name).\(result.rule.family)"),
        ("time", result.duration.inSeconds),
      ]
      let head = "    <testcase\(text(of: attributes))"
      switch result.status {
      case .passed: output.print("\(head)/>")
      case .skipped(let reason):
        output.print("\(head)>\n      <skipped\(text(of: [("message", reason)]))></skipped>\n    </testcase>")
      case .failed:
        let failure = [("message", result.failures.first ?? ""), ("type", result.rule.level.rawValue)]
        output.print("\(head)>\n      <failure\(text(of: failure))>\(escaped(result.text))</failure>\n    </testcase>")
      }
    }

    private func evidence(of run: Run) -> String {
      run.results.flatMap { result in
        ["\(result.rule.id): \(result.evidence.joined(separator: ", "))"]
          + result.details.map { "\(result.rule.id): \($0)" }
      }.joined(separator: "\n")
    }

    private func timestamp(_ date: Date) -> String {
      date.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: false))
    }

    private func text(of attributes: [(name: String, value: String)]) -> String {
      attributes.map { " \($0.name)=\"\(escaped($0.value))\"" }.joined()
    }

    /// What XML cannot carry at all, most control characters, is left out.
    private func escaped(_ text: String) -> String {
      var result = ""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "\n", "\t": result.unicodeScalars.append(scalar)
        case "\u{20}"..."\u{d7ff}", "\u{e000}"..."\u{fffd}", "\u{10000}"...: result.unicodeScalars.append(scalar)
        default: break
        }
      }
      return result
    }
  }
#endif
