import HawtConformance
import Testing

/// One case: a rule on a backend.
struct Case: Sendable, CustomTestStringConvertible {
  let rule: Rule
  let subject: Subject

  var testDescription: String { "\(rule.id) on \(subject)" }

  /// Every rule on every built-in backend; what a backend can spoil by itself on the others.
  static let all = Subject.all.flatMap { subject in
    let isBuiltIn = Subject.builtIn.contains { $0.name == subject.name }
    return Catalogue.rules(matching: isBuiltIn ? "*" : "S*,B*").map { Case(rule: $0, subject: subject) }
  }
}

/// Serialized: rules about CPU use, threads and time bounds would disturb each other.
@Suite(.serialized) struct ConformanceTests {
  @Test(arguments: Case.all) func holds(_ testCase: Case) async {
    let result = await verify(testCase.rule, on: testCase.subject)
    #expect(result.status == .passed, "\(result.text)")
  }
}
