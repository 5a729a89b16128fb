/// One promise of the library, with what it takes to see whether a backend keeps it.
///
/// A rule is a value: reports, documentation and tests all read the same list (see `Catalogue`).
public struct Rule: Sendable, CustomStringConvertible {
  /// The name that SEMANTICS, RULES.md, doc comments and reports share, "Q1" say.
  public let id: String
  /// How binding it is.
  public let level: RuleLevel
  /// What is promised, in one line; the full wording stands in RULES.md.
  public let title: String
  /// Why the rule exists: what goes wrong for a user when it is broken.
  public let why: String
  /// Where to look when it fails: files and types of the library.
  public let whereToLook: [String]
  /// What it needs of the machine; who has scenarios needs a child process.
  public let capabilities: Set<Capability>
  /// Each would fail if the rule, or one of its clauses, were broken.
  public let checks: [Check]
  /// What must run in a process of its own, because it traps, forks, or measures the whole process.
  public let scenarios: [Scenario]

  /// States a rule, with the checks that show it.
  public init(
    _ id: String, _ title: String, level: RuleLevel = .must, why: String, whereToLook: [String],
    capabilities: Set<Capability> = [], checks: [Check], scenarios: [Scenario] = []
  ) {
    self.id = id
    self.level = level
    self.title = title
    self.why = why
    self.whereToLook = whereToLook
    self.capabilities = scenarios.isEmpty ? capabilities : capabilities.union([.childProcess])
    self.checks = checks
    self.scenarios = scenarios
  }

  /// The ID.
  public var description: String { id }

  /// The letter of its family: Q, M, S, T, C, L or B.
  public var family: Character { id.first ?? "?" }
}

/// How binding a rule is.
public enum RuleLevel: String, Sendable, Hashable {
  /// Every run must keep it.
  case must
  /// Expected; a failure is reported and counts, but a backend may explain it.
  case should
  /// Judged by a measurement, over several attempts.
  case stochastic
  /// Stated, and not checked; the title says why.
  case untested
}

/// One experiment about a rule.
public struct Check: Sendable {
  /// What is done and seen, as a phrase.
  public let name: String
  /// Runs on a thread of its own, so it may block. It fails by throwing, by a false `expect`, and by recording no
  /// evidence.
  public let body: @Sendable (CheckContext) throws -> Void

  /// A check of dispatchers made with the backend.
  public init(_ name: String, _ body: @escaping @Sendable (CheckContext) throws -> Void) {
    self.name = name
    self.body = body
  }
}

/// What a child process does in a check's stead; see `CheckContext.expectTrap`.
public struct Scenario: Sendable {
  /// Unique within its rule.
  public let name: String
  /// What the child does. Returning ends the child with exit code 0.
  public let body: @Sendable (CheckContext) throws -> Void

  /// A scenario under its name.
  public init(_ name: String, _ body: @escaping @Sendable (CheckContext) throws -> Void) {
    self.name = name
    self.body = body
  }
}
