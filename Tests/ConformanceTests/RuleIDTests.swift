import BrokenBackends
import Foundation
import HawtConformance
import Testing

/// Documentation, code and reports must speak of the same rules.
@Suite struct RuleIDTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The headings of RULES.md, in order.
  private static func documented() throws -> [String] {
    let text = try String(contentsOf: root.appending(path: "Conformance/RULES.md"), encoding: .utf8)
    return text.split(separator: "\n").filter { $0.hasPrefix("### ") }.map { String($0.dropFirst(4)) }
  }

  /// The IDs that comments of the library mention.
  private static func mentioned() throws -> Set<String> {
    var found: Set<String> = []
    let files = FileManager.default.enumerator(atPath: root.appending(path: "Sources").path)
    while let path = files?.nextObject() as? String {
      guard path.hasSuffix(".swift") else { continue }
      let text = try String(contentsOf: root.appending(path: "Sources/" + path), encoding: .utf8)
      for line in text.split(separator: "\n") {
        guard let comment = line.range(of: "//") else { continue }
        for match in line[comment.lowerBound...].matches(of: /\b[QMSTCLB][0-9]{1,2}\b/) {
          found.insert(String(match.output))
        }
      }
    }
    return found
  }

  @Test func theKitAndTheDocumentHaveTheSameRulesInTheSameOrder() throws {
    #expect(Catalogue.rules.map(\.id) == (try Self.documented()))
  }

  @Test func docCommentsNameEveryRuleAndNoOther() throws {
    let documented = Set(try Self.documented())
    let mentioned = try Self.mentioned()
    #expect(mentioned.subtracting(documented).sorted() == [], "doc comments name rules that do not exist")
    #expect(documented.subtracting(mentioned).sorted() == [], "no doc comment names these rules")
  }

  /// What MANIFEST says of each mutant: its rule, and by its name its patch.
  private static func mutants() throws -> [(rule: String, patch: String)] {
    let text = try String(contentsOf: root.appending(path: "Conformance/Broken/MANIFEST"), encoding: .utf8)
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      // A mark says that the rule may end the process.
      return words.count >= 2 ? (words[1].replacing("!", with: ""), words[0] + ".patch") : nil
    }
  }

  @Test func whatIsReportedHasTheIDsOfTheCatalogue() async throws {
    // Reports are made of results, and a result's first word is its rule's ID, in text and in every other format.
    for rule in Catalogue.rules(matching: "B3") {
      let report = await verify(Subject.builtIn[0], rules: [rule])
      #expect(report.results.map(\.rule.id) == [rule.id])
      #expect(report.description.hasPrefix(rule.id + " "))
    }
    #expect(Set(Catalogue.rules.map(\.id)).count == Catalogue.rules.count)
  }

  @Test func everyRuleHasAMutantThatItKills() throws {
    let mutants = try Self.mutants()
    let rules = Set(Catalogue.rules.map(\.id))
    #expect(Set(mutants.map(\.rule)).subtracting(rules).sorted() == [], "mutants of rules that do not exist")
    #expect(rules.subtracting(mutants.map(\.rule)).sorted() == [], "rules that no mutant puts to the test")
    #expect(Set(BrokenSubject.all.map(\.rule)).isSubset(of: rules))
    let patches = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appending(path: "Conformance/Broken/Mutants").path)
    #expect(Set(mutants.map(\.patch)) == Set(patches.filter { $0.hasSuffix(".patch") }))
  }

  @Test func everyRuleSaysWhyAndWhere() {
    for rule in Catalogue.rules {
      #expect(!rule.why.isEmpty && !rule.whereToLook.isEmpty && !rule.checks.isEmpty, "\(rule.id) is incomplete")
    }
  }
}
