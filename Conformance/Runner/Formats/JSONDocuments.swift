#if ConformanceCommand
  import HawtConformance

  // What is printed as JSON beside reports; the names are a promise to whoever reads it.

  /// The rules of `--list`.
  struct RuleList: Encodable {
    /// Raised when a name changes its meaning or goes.
    let version = 1
    let rules: [Entry]

    struct Entry: Encodable {
      let id: String
      let level: String
      let title: String
      let why: String
      let whereToLook: [String]
      let needs: [String]
      let checks: [String]
    }

    init(_ rules: [Rule]) {
      self.rules = rules.map { rule in
        Entry(
          id: rule.id, level: rule.level.rawValue, title: rule.title, why: rule.why, whereToLook: rule.whereToLook,
          needs: rule.capabilities.map(\.rawValue).sorted(), checks: rule.checks.map(\.name))
      }
    }
  }

  /// What `--compare` and `--replay` came to.
  struct Comparison: Encodable {
    /// Raised when a name changes its meaning or goes.
    let version = 1
    let conforms: Bool
    /// Where the choice of histories started; none if it was one history's name.
    let seed: UInt64?
    let backends: [String]
    let histories: Int
    let events: Int
    let linesCompared: Int
    let finding: Finding?

    struct Finding: Encodable {
      /// `differs` or `rejected`.
      let kind: String
      let reason: String
      let history: String
      let steps: [String]
      let replay: String
    }

    init(_ report: HistoryReport, seed: UInt64?) {
      conforms = report.finding == nil
      self.seed = seed
      backends = report.backends
      histories = report.histories
      events = report.events
      linesCompared = report.linesCompared
      finding = report.finding.map { finding in
        Finding(
          kind: finding.kind == .differs ? "differs" : "rejected", reason: finding.reason, history: finding.name,
          steps: finding.steps, replay: finding.replay)
      }
    }
  }

  /// What `--matrix` found.
  struct MatrixDocument: Encodable {
    /// Raised when a name changes its meaning or goes.
    let version = 1
    let conforms: Bool
    let backends: [String]
    let cells: [Cell]
    /// Cells in which two backends differ though no difference is declared, one sentence each.
    let differences: [String]

    struct Cell: Encodable {
      let backend: String
      let state: String
      let interest: String
      let outcome: String
      /// None where only all backends have to be alike.
      let wanted: String?
      let isAsWanted: Bool
    }

    init(_ table: MatrixTable) {
      conforms = table.failures.isEmpty && table.differences.isEmpty
      backends = table.columns.map { $0.subject.name }
      differences = table.differences
      cells = table.columns.flatMap { column in
        column.cells.map { cell in
          Cell(
            backend: column.subject.name, state: cell.state, interest: "\(cell.interest)", outcome: "\(cell.outcome)",
            wanted: cell.wanted.map { "\($0)" }, isAsWanted: cell.isAsWanted)
        }
      }
    }
  }
#endif
