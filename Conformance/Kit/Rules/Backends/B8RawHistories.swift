import Glibc
import Polling

// B8, without a dispatcher: seeded calls to a bare backend on connections of the system, beside the same calls to a
// backend that lives in memory. What is told after each call must be the same.

/// A step that is legal whatever went before, so that any part of a history is one.
private enum RawStep: CustomStringConvertible {
  /// Registers, or changes the interest of what is registered.
  case watch(Int, Interest)
  case forget(Int)
  case feed(Int)
  case drain(Int)
  case fill(Int)
  case relieve(Int)
  case halfClose(Int)
  case hangUp(Int)
  /// Registers a number that is not open.
  case refuse

  var description: String {
    switch self {
    case .watch(let connection, let interest): "watch c\(connection) for \(interest)"
    case .forget(let connection): "forget c\(connection)"
    case .feed(let connection): "feed c\(connection)"
    case .drain(let connection): "drain c\(connection)"
    case .fill(let connection): "fill c\(connection)"
    case .relieve(let connection): "relieve c\(connection)"
    case .halfClose(let connection): "half-close c\(connection)"
    case .hangUp(let connection): "hang up c\(connection)"
    case .refuse: "watch a number that is not open"
    }
  }
}

private let connections: [ConnectionKind] = [.stream, .pipe, .stream, .stream, .pipe]

private func makeSteps(_ random: inout SeededRandom, length: Int) -> [RawStep] {
  let interests: [Interest] = [.read, .write, [.read, .write], []]
  return (0..<length).map { _ in
    let connection = random.below(connections.count)
    return switch random.below(20) {
    case 0..<7: .watch(connection, random.pick(interests))
    case 7..<9: .forget(connection)
    case 9..<12: .feed(connection)
    case 12..<14: .drain(connection)
    case 14..<16: .fill(connection)
    case 16: .relieve(connection)
    case 17: random.oneIn(4) ? .halfClose(connection) : .drain(connection)
    case 18: random.oneIn(6) ? .hangUp(connection) : .feed(connection)
    default: random.oneIn(5) ? .refuse : .relieve(connection)
    }
  }
}

/// Plays steps; one line for each says what a wait told after it.
private func play(_ steps: [RawStep], _ world: some RawWorld, on backend: RawBackend) throws -> [String] {
  var watched: [Int: (token: Polling.Token, interest: Interest)] = [:]
  var generation: UInt32 = 0
  defer {
    for (connection, entry) in watched {
      backend.remove(world.number(of: connection), entry.token, from: entry.interest)
    }
  }
  return try steps.map { step in
    var outcome = "done"
    switch step {
    case .watch(let connection, let interest):
      let number = world.number(of: connection)
      if let entry = watched[connection] {
        guard entry.interest != interest else { break }
        try backend.change(number, entry.token, from: entry.interest, to: interest)
        watched[connection] = (entry.token, interest)
      } else if !interest.isEmpty {
        generation += 1
        let token = Polling.Token(slot: UInt32(connection) + 1, generation: generation)
        try backend.add(number, token, interest)
        watched[connection] = (token, interest)
      }
    case .forget(let connection):
      guard let entry = watched.removeValue(forKey: connection) else { break }
      backend.remove(world.number(of: connection), entry.token, from: entry.interest)
    case .feed(let connection): world.feed(connection)
    case .drain(let connection): world.drain(connection)
    case .fill(let connection): world.fill(connection)
    case .relieve(let connection): world.relieve(connection)
    case .halfClose(let connection): world.halfClose(connection)
    case .hangUp(let connection): world.hangUp(connection)
    case .refuse:
      let error = thrown { try backend.add(1_000_000, Polling.Token(slot: 99, generation: 1), .read) }
      outcome = (error as? BackendError).map { "errno \($0.code)" } ?? "no error"
    }
    // Cut down to what was asked, as a poller does; order within a wait is nobody's promise.
    let told = try backend.wait(.now).map { entry -> String in
      let connection = Int(entry.token.slot) - 1
      guard let known = watched[connection], known.token == entry.token else { return "a stale token" }
      return "c\(connection) \(entry.readiness.intersection(known.interest))"
    }
    return "\(outcome); \(told.sorted().joined(separator: ", "))"
  }
}

/// The first step at which the backend and the memory part, if they do.
private func difference(
  in steps: [RawStep], on subject: Subject
) throws -> (step: Int, memory: String, subject: String)? {
  let memory = MemoryConnections(connections)
  let wanted = try play(steps, memory, on: TypedRawBackend(MemoryBackend(of: memory.world)))
  let bell = try RawBench(subject)
  let system = try SystemConnections(connections)
  let seen = try play(steps, system, on: bell.backend)
  guard let step = steps.indices.first(where: { wanted[$0] != seen[$0] }) else { return nil }
  return (step, wanted[step], seen[step])
}

/// Leaves out whatever the difference does not need.
private func shrink(_ steps: [RawStep], on subject: Subject) throws -> [RawStep] {
  var steps = steps
  var index = steps.count - 1
  while index >= 0 {
    var shorter = steps
    shorter.remove(at: index)
    if let found = try difference(in: shorter, on: subject) { steps = Array(shorter.prefix(found.step + 1)) }
    index = min(index, steps.count) - 1
  }
  return steps
}

func likeMemory(_ context: CheckContext) throws {
  for round in 0..<context.scaled(400, minimum: 60) {
    var random = context.random(round)
    let steps = makeSteps(&random, length: 60)
    if try difference(in: steps, on: context.subject) != nil {
      let short = try shrink(steps, on: context.subject)
      guard let found = try difference(in: short, on: context.subject) else {
        throw CheckFailure("history \(round) differs from memory in some runs and not in others")
      }
      throw CheckFailure(
        """
        history \(round), shrunk to \(short.map { "\($0)" }.joined(separator: "; ")):
              memory: \(found.memory)
              \(context.subject.name): \(found.subject)
        """)
    }
    context.record("calls as in memory", steps.count)
  }
}
