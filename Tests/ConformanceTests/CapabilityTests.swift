import Foundation
import HawtConformance
import Testing

/// What rules need of the machine: one that cannot be looked at is skipped and says why, and none is on ours.
@Suite struct CapabilityTests {
  private static func rule(_ capabilities: Set<Capability>, scenarios: [Scenario] = []) -> Rule {
    Rule(
      "X1", "a rule for tests", why: "why", whereToLook: ["here"], capabilities: capabilities,
      checks: [Check("a check") { $0.record("something") }], scenarios: scenarios)
  }

  @Test(arguments: Capability.allCases)
  func aRuleThatLacksSomethingIsSkippedAndSaysWhat(_ capability: Capability) async {
    var options = Options(seed: 1)
    let rule = Self.rule([capability])
    #expect(await verify(rule, on: Subject.builtIn[0], options: options).status == .passed)
    options.withheld = [capability]
    let result = await verify(rule, on: Subject.builtIn[0], options: options)
    #expect(result.status == .skipped("needs \(capability.what)"))
    #expect(result.evidence.isEmpty)
    #expect(result.text.contains("skipped") && result.text.contains(capability.what))
    // What others lack is nothing to it.
    #expect(await verify(Self.rule([]), on: Subject.builtIn[0], options: options).status == .passed)
  }

  @Test func whoeverHasScenariosNeedsAChild() async {
    let rule = Self.rule([], scenarios: [Scenario("a scenario") { _ in }])
    #expect(rule.capabilities == [.childProcess])
    for name in ["no-such-executable", "/no/such/executable"] {
      let options = Options(scenarioExecutable: name)
      let result = await verify(rule, on: Subject.builtIn[0], options: options)
      #expect(result.status == .skipped("needs \(Capability.childProcess.what)"))
    }
  }

  @Test func noRuleIsSkippedHere() {
    for rule in Catalogue.rules { #expect(rule.missing(Options()).isEmpty, "\(rule)") }
  }

  /// By the text of the rules: nobody can forget to state a need.
  @Test func rulesStateWhatTheyUse() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Conformance/Kit/Rules")
    let uses: [(Capability, Regex<Substring>)] = [
      (.childProcess, /runChild\(|expectTrap\(|expectSuccess\(/),
      (
        .processFiles,
        /\/proc\/|PollerInspection|WorkerPollers|BadDescriptor|ReadinessMatrix|Process\.(?:entries|text|link|thread(?:Names|Count)|descriptors)/
      ),
      (.processDescriptors, /ReadinessMatrix\.cells?\(/), (.terminals, /ReadinessMatrix\.cells?\(/),
    ]
    var used: [String: Set<Capability>] = [:]
    let files = try #require(FileManager.default.enumerator(atPath: folder.path))
    for case let path as String in files where path.hasSuffix(".swift") {
      let name = URL(filePath: path).lastPathComponent
      guard let id = name.prefixMatch(of: /[QMSTCLB][0-9]+/)?.output else { continue }
      let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
      for (capability, pattern) in uses where text.contains(pattern) {
        used[String(id), default: []].insert(capability)
      }
    }
    for rule in Catalogue.rules { #expect(rule.capabilities == used[rule.id] ?? [], "\(rule)") }
  }

  @Test func theDocumentSaysWhichRulesNeedWhat() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Conformance/RULES.md")
    let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
    for capability in Capability.allCases {
      let needy = Catalogue.rules.filter { $0.capabilities.contains(capability) }.map(\.id)
      let line = "- \(capability.what): \(needy.joined(separator: ", "))."
      let isThere = lines.contains(line)
      #expect(isThere, "\(line)")
    }
  }

  #if ConformanceCommand
    @Test func theListNamesThem() throws {
      let run = try CommandRun.of("hawt-conformance", ["--list", "--rule", "B1"])
      for capability in Catalogue.rules(matching: "B1")[0].capabilities { #expect(run.text.contains(capability.what)) }
      let json = try CommandRun.of("hawt-conformance", ["--list", "--rule", "B1,B3", "--format", "json"])
      let document = try JSONSerialization.jsonObject(with: Data(json.text.utf8)) as? [String: Any]
      let rules = try #require(document?["rules"] as? [[String: Any]])
      #expect(rules.map { $0["needs"] as? [String] } == [["processDescriptors", "processFiles", "terminals"], []])
    }
  #endif
}
