import Glibc
public import Polling

/// What backends say of each kind of descriptor, in each state, for each interest: rules B1 and B8, cell by cell.
public enum ReadinessMatrix {
  /// What was asked of a backend, and what it said.
  public struct Cell: Sendable, Hashable, CustomStringConvertible {
    /// The row, by name.
    public let state: String
    /// The column.
    public let interest: Interest
    /// What the backend said.
    public let outcome: Outcome
    /// What it should have said; nil where only all backends have to be alike.
    public let wanted: Outcome?

    /// Whether the outcome is the wanted one, if there is one.
    public var isAsWanted: Bool { wanted == nil || wanted == outcome }

    /// The cell's name, "TCP: idle, asked for read".
    public var name: String { "\(state), asked for \(interest)" }

    /// The name and the outcome, and what it should have been.
    public var description: String {
      "\(name): \(outcome)" + (isAsWanted ? "" : ", wanted \(wanted.map { "\($0)" } ?? "anything")")
    }
  }

  /// What a backend said of a descriptor.
  public enum Outcome: Sendable, Hashable, CustomStringConvertible {
    /// It was registered, and each of several waits reported this part of what was asked.
    case ready(Interest)
    /// Registering it failed with this `errno` value.
    case refused(CInt)
    /// It broke a rule: waits of which each said something else, a report after removal, or an error that is none.
    case broken(String)

    /// `read`, `nothing`, or the error.
    public var description: String {
      switch self {
      case .ready(let interest): "\(interest)"
      case .refused(EPERM): "EPERM"
      case .refused(EBADF): "EBADF"
      case .refused(let code): "errno \(code)"
      case .broken(let text): "broken: \(text)"
      }
    }
  }

  /// What may be asked of a descriptor.
  public static let interests: [Interest] = [.read, .write, [.read, .write]]

  /// Looks at one cell. It blocks for as long as the system needs to bring the descriptor into its state.
  ///
  /// - Throws: `CheckFailure` if this system cannot bring a descriptor into the state.
  public static func cell(_ state: DescriptorState, _ interest: Interest, on subject: Subject) throws -> Cell {
    let stage = Stage()
    let number = try state.make(stage)
    if case .ready(let wanted) = state.expected { stage.awaitReadiness(wanted, of: number) }
    let outcome = try outcome(of: number, interest, on: subject)
    return Cell(state: state.name, interest: interest, outcome: outcome, wanted: wanted(state, interest, subject))
  }

  /// Looks at every cell, in order.
  public static func cells(on subject: Subject, progress: (Cell) -> Void = { _ in }) throws -> [Cell] {
    try DescriptorState.all.flatMap { state in
      try interests.map { interest in
        let cell = try cell(state, interest, on: subject)
        progress(cell)
        return cell
      }
    }
  }

  private static func wanted(_ state: DescriptorState, _ interest: Interest, _ subject: Subject) -> Outcome? {
    switch subject.difference(inRow: state.name)?.outcome ?? state.expected {
    case .ready(let all): .ready(all.intersection(interest))
    case .refused(let code): .refused(code)
    case .alike: nil
    }
  }

  private static func outcome(of number: CInt, _ interest: Interest, on subject: Subject) throws -> Outcome {
    // The contract leaves negative numbers to the poller.
    guard number >= 0 else { return try refusal(of: number, interest, on: subject) }
    let raw = try RawBench(subject)
    let token: Polling.Token
    do {
      token = try raw.add(number, interest)
    } catch let error as BackendError {
      guard error.operation == .add else { return .broken("\(error)") }
      return try raw.wait().isEmpty ? .refused(error.code) : .broken("reported after it was refused")
    }
    let first = try raw.wait()[token] ?? []
    for round in 2...3 {
      let next = try raw.wait()[token] ?? []
      if next != first { return .broken("\(first), and \(next) by wait \(round)") }
    }
    raw.remove(number, token)
    return try raw.wait().isEmpty ? .ready(first) : .broken("reported after its removal")
  }

  private static func refusal(of number: CInt, _ interest: Interest, on subject: Subject) throws -> Outcome {
    let poller = try subject.backend.makePoller(eventsPerWait: 8)
    defer { poller.close() }
    do {
      _ = try poller.register(number, interest: interest, context: 1)
      return .broken("registered")
    } catch { return .refused(error.code) }
  }
}
