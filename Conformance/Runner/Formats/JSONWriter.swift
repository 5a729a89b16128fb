#if ConformanceCommand
  import Foundation
  import HawtConformance

  /// One JSON object, at the end.
  struct JSONWriter: ReportWriter {
    private let output: Output

    init(_ output: Output) { self.output = output }

    func ended(_ runs: [Run]) {
      let document = Document(
        conforms: runs.allSatisfy { $0.report.isConforming }, runs: runs.map(Document.Run.init))
      printJSON(document, to: output)
    }
  }

  /// Writes one object, with its names in order: the same found twice is the same text.
  func printJSON(_ document: some Encodable, to output: Output = .standard) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      output.print(String(decoding: try encoder.encode(document), as: UTF8.self))
    } catch {
      fatalError("a report has no form in JSON: \(error)")
    }
  }

  /// The shape of the object; its names are a promise to whoever reads it.
  private struct Document: Encodable {
    /// Raised when a name changes its meaning or goes.
    let version = 1
    let conforms: Bool
    let runs: [Run]

    struct Run: Encodable {
      let backend: String
      let identity: String
      let seed: UInt64
      let repetition: Int
      let passed: Int
      let failed: Int
      let skipped: Int
      let rules: [RuleResult]

      init(_ run: HawtConformanceCommand.Run) {
        let report = run.report
        backend = run.subject.name
        identity = run.subject.identity
        seed = run.seed
        repetition = run.repetition
        (passed, failed, skipped) = (report.passed, report.failed, report.skipped)
        rules = run.results.map(RuleResult.init)
      }
    }

    struct RuleResult: Encodable {
      let id: String
      let level: String
      let title: String
      let why: String
      let whereToLook: [String]
      let needs: [String]
      let status: String
      let reason: String?
      let evidence: [String]
      let details: [String]
      let failures: [String]
      let milliseconds: Int64
      let replay: String

      init(_ result: HawtConformance.RuleResult) {
        id = result.rule.id
        level = result.rule.level.rawValue
        title = result.rule.title
        why = result.rule.why
        whereToLook = result.rule.whereToLook
        needs = result.rule.capabilities.map(\.rawValue).sorted()
        (status, reason) =
          switch result.status {
          case .passed: ("passed", nil)
          case .failed: ("failed", nil)
          case .skipped(let reason): ("skipped", reason)
          }
        evidence = result.evidence
        details = result.details
        failures = result.failures
        milliseconds = result.duration.inMilliseconds
        replay = result.replay
      }
    }
  }
#endif
