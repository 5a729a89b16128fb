#if ConformanceCommand
  import Foundation
  import HawtConformance
  import Testing

  @testable import HawtConformanceCommand

  /// What the command writes, with results that are hard to write.
  @Suite struct FormatTests {
    /// Everything that a format has to escape, and what no XML may contain.
    private static let nasty = "a <b> & \"c\" # d \\ \u{1b}[31m é\nand a second line"

    private static func result(_ id: String, _ status: RuleResult.Status) async -> RuleResult {
      let checks: [Check] =
        switch status {
        case .passed: [Check("a check") { $0.record("things & \"more\" things") }]
        case .failed:
          [Check("a check") { $0.expect(false, nasty) }]
        case .skipped: []
        }
      let level: RuleLevel = if case .skipped = status { .untested } else { .must }
      return await verify(
        Rule(id, "a title with # and <&>", level: level, why: nasty, whereToLook: ["here"], checks: checks),
        on: Subject.builtIn[0], options: Options(seed: 42))
    }

    /// The lines that a format has for a run with one result of each kind.
    private static func lines(_ format: Format) async -> [String] {
      let results = [
        await result("X1", .passed), await result("X2", .failed), await result("X3", .skipped("untested")),
      ]
      var written: [String] = []
      let plan = Plan(subjects: [Subject.builtIn[0]], rules: results.map(\.rule), repetitions: 1)
      var writer = format.makeWriter(for: plan, to: Output { written.append($0) })
      var run = Run(subject: Subject.builtIn[0], seed: 42, repetition: 1)
      writer.began(run)
      for (index, result) in results.enumerated() {
        writer.began(result.rule, number: index + 1)
        run.results.append(result)
        writer.ended(result, in: run)
      }
      writer.ended(run)
      writer.ended([run])
      return written.flatMap { $0.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) }
    }

    @Test func textEndsWithATableTheFailuresAndTheSummary() async throws {
      let lines = await Self.lines(.text)
      let table = try #require(lines.firstIndex { $0.hasPrefix("rule | ") })
      #expect(lines[table...].contains { $0.hasPrefix("X1   | ok ") })
      #expect(lines[table...].contains { $0.hasPrefix("X2   | FAILED ") })
      #expect(lines[table...].contains { $0.hasPrefix("X3   | skipped ") })
      let failed = try #require(lines.firstIndex(of: "What failed:"))
      #expect(lines[failed...].contains { $0.contains("X2") && $0.contains("FAILED") })
      #expect(lines[failed...].contains { $0.contains("--rule X2 --seed 42") })
      #expect(lines.last?.hasSuffix("3 rules, 1 passed, 1 failed, 1 skipped") == true)
    }

    @Test func tapHasAPlanAndANumberedLineForEachRule() async {
      let lines = await Self.lines(.tap)
      #expect(lines.prefix(2) == ["TAP version 13", "1..3"])
      let name = Subject.builtIn[0].name
      #expect(lines.contains("ok 1 - X1 on \(name): a title with \\# and <&>"))
      #expect(lines.contains("not ok 2 - X2 on \(name): a title with \\# and <&>"))
      #expect(lines.contains { $0.hasPrefix("ok 3 - X3 on ") && $0.hasSuffix(" # SKIP declared as untested") })
      // Whatever else there is belongs to a block of details, or is a comment.
      for line in lines.dropFirst(2) {
        #expect(line.hasPrefix("ok ") || line.hasPrefix("not ok ") || line.hasPrefix("  ") || line.hasPrefix("#"))
      }
    }

    @Test func jsonCanBeReadBack() async throws {
      let text = await Self.lines(.json).joined(separator: "\n")
      let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(document["conforms"] as? Bool == false)
      #expect(document["version"] as? Int == 1)
      let runs = try #require(document["runs"] as? [[String: Any]])
      let rules = try #require(runs.first?["rules"] as? [[String: Any]])
      #expect(rules.map { $0["status"] as? String } == ["passed", "failed", "skipped"])
      #expect((rules[1]["failures"] as? [String])?.first == "a check: " + Self.nasty)
    }

    @Test func junitIsXMLThatCountsItsCases() async throws {
      let text = await Self.lines(.junit).joined(separator: "\n")
      #expect(text.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""))
      #expect(text.contains("a &lt;b&gt; &amp; &quot;c&quot; # d \\ [31m é"))
      #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
      #expect(text.components(separatedBy: "<testcase ").count == 4)
    }
  }
#endif
