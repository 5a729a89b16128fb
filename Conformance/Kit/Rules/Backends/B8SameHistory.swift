import Glibc
import HawtDispatch

extension Rule {
  /// B8: backends are alike.
  static let b8 = Rule(
    "B8", "Same history, same observations on every backend.",
    why:
      "Whoever changes the backend must not find another library: the union of events per quiescent step, the order per "
      + "queue, the errors and the counts of deliveries are the same.",
    whereToLook: ["the history and both traces, which the report prints", "the backend that differs from the others"],
    capabilities: [.processFiles, .processDescriptors, .terminals],
    checks: [
      Check("short seeded histories, in lockstep, on every backend that is built in", sameHistories),
      Check("seeded calls to a bare backend, against one that lives in memory", likeMemory),
      Check("the same readiness matrix on every backend that is built in", sameMatrix),
      Check(closedIsSilent, closedNumberIsSilent),
    ])
}

/// One step of a history, on logical names: nothing of it depends on descriptors or times.
private enum Step: CustomStringConvertible {
  case make(source: Int, on: Int, interest: Interest, queue: Int)
  case activate(Int)
  case suspend(Int)
  case resume(Int)
  case retarget(Int, queue: Int)
  case cancel(Int)
  case write(Int, count: Int)
  /// Nobody looks before all is written.
  case burst([(end: Int, count: Int)])
  case drain(Int)
  case halfClose(Int)
  case hangUp(Int)
  case register(bad: Int, queue: Int)
  case after(milliseconds: Int, queue: Int)

  var description: String {
    switch self {
    case .make(let source, let end, let interest, let queue): "make s\(source) on e\(end) for \(interest), q\(queue)"
    case .activate(let source): "activate s\(source)"
    case .suspend(let source): "suspend s\(source)"
    case .resume(let source): "resume s\(source)"
    case .retarget(let source, let queue): "retarget s\(source) to q\(queue)"
    case .cancel(let source): "cancel s\(source)"
    case .write(let end, let count): "write \(count) to e\(end)"
    case .burst(let writes): "write at once \(writes.map { "\($0.count) to e\($0.end)" }.joined(separator: ", "))"
    case .drain(let end): "drain the far side of e\(end)"
    case .halfClose(let end): "half-close e\(end)"
    case .hangUp(let end): "hang up e\(end)"
    case .register(let bad, let queue): "register \(BadDescriptor.all[bad].name) on q\(queue)"
    case .after(let time, let queue): "after \(time) ms on q\(queue)"
    }
  }
}

private let endCount = 4
private let queueCount = 3

/// Chooses steps that are legal one after the other.
///
/// - Parameter gathering: the queue on which all sources begin, one that reads each end to start with; nil: any.
private func makeHistory(_ random: inout SeededRandom, length: Int, gathering: Int?) -> [Step] {
  var steps: [Step] = []
  var sources = 0
  var suspensions: [Int: Int] = [:]
  // Two readers of one end would race for its bytes: then no two runs were alike.
  var endsWithReader: Set<Int> = []
  if let gathering {
    for end in 0..<endCount {
      steps += [.make(source: end, on: end, interest: .read, queue: gathering), .activate(end)]
      endsWithReader.insert(end)
    }
    sources = endCount
  }
  while steps.count < length {
    let source = sources == 0 ? 0 : random.below(sources)
    let queue = random.below(queueCount)
    let end = random.below(endCount)
    switch sources == 0 ? 0 : random.below(16) {
    case 0, 1:
      let interests: [Interest] = [.read, .read, .write, [.read, .write]]
      var interest = random.pick(interests)
      if interest.contains(.read), !endsWithReader.insert(end).inserted { interest = .write }
      steps.append(.make(source: sources, on: end, interest: interest, queue: gathering ?? queue))
      steps.append(.activate(sources))
      sources += 1
    case 2: steps.append(.activate(source))
    case 3:
      suspensions[source, default: 0] += 1
      steps.append(.suspend(source))
    case 4, 5:
      guard suspensions[source, default: 0] > 0 else { continue }
      suspensions[source, default: 0] -= 1
      steps.append(.resume(source))
    case 6: steps.append(.retarget(source, queue: queue))
    case 7: if random.oneIn(2) { steps.append(.cancel(source)) }
    case 8: steps.append(.drain(end))
    case 9: if random.oneIn(3) { steps.append(random.oneIn(2) ? .halfClose(end) : .hangUp(end)) }
    case 10: steps.append(.register(bad: random.below(BadDescriptor.all.count), queue: queue))
    case 11: steps.append(.after(milliseconds: random.below(3), queue: queue))
    case 12, 13:
      let writes = (0..<endCount).shuffled(using: &random).prefix(2 + random.below(endCount - 1))
      steps.append(.burst(writes.map { ($0, 1 + random.below(60)) }))
    default: steps.append(.write(end, count: 1 + random.below(40)))
    }
  }
  return steps
}

/// Something that a history's player saw: who was told what, and in which queue.
private struct Sighting {
  let who: String
  let what: String
  let place: String
}

/// What was seen of one step, in the order that is promised for each queue.
///
/// Whatever a step makes ready is ready before a worker can look at it. So the first events of a queue's sources are those of one
/// wait, which have no order between them, and come before any second one. Over which waits the others are spread is a matter of
/// how long handlers take: of these each source's own order is kept.
private func inPromisedOrder(_ seen: [Sighting]) -> String {
  let queues = Dictionary(grouping: seen, by: \.place).sorted { $0.key < $1.key }
  return queues.map { place, sightings in
    let count = Set(sightings.map(\.who)).count
    let first = sightings.prefix(count).map { "\($0.who) \($0.what)" }.sorted()
    let later = Dictionary(grouping: sightings.dropFirst(count), by: \.who).sorted { $0.key < $1.key }
    let rest = later.map { who, own in "; then \(who) " + own.map(\.what).joined(separator: ", ") }
    return "in \(place): " + first.joined(separator: ", ") + rest.joined()
  }.joined(separator: " | ")
}

/// Plays a history on one backend and notes what was seen after each step.
private final class Player: Sendable {
  private let bench: Bench
  private let ends: [Ends]
  private let queues: [any Queue]
  private let sources = Shared<[ReadinessSource]>([])
  private let seen: Recorder<Sighting>

  init(_ context: CheckContext, on subject: Subject) throws {
    bench = try context.bench { $0.backend = subject.backend }
    ends = try (0..<endCount).map { [bench] index in try bench.ends(index % 2 == 0 ? .unixStream : .tcp) }
    queues = [
      bench.dispatcher.threadQueues[0], bench.dispatcher.makeSerialQueue(label: "unpinned"),
      try bench.dispatcher.makeSerialQueue(label: "pinned", target: bench.dispatcher.threadQueues[1]),
    ]
    seen = context.recorder()
  }

  /// One line a step: the step, what came of it, the events that it led to.
  func play(_ history: [Step]) throws -> [String] {
    try history.map { step in
      let outcome = try perform(step)
      var count = -1
      // Quiescent: another look at all pollers and queues brings nothing new.
      while count != seen.count {
        count = seen.count
        try bench.settle(queues[0], queues[1], queues[2])
      }
      let events = inPromisedOrder(seen.all)
      if case .burst = step { noteShared(seen.all) }
      seen.removeAll()
      let deliveries = sources.with { $0.map { "\($0.deliveries)" }.joined(separator: " ") }
      return "\(step): \(outcome); \(events); deliveries \(deliveries)"
    }
  }

  /// Several sources of one queue, told of one wait: where there is an order to be kept.
  private func noteShared(_ seen: [Sighting]) {
    let queues = Dictionary(grouping: seen, by: \.place).values
    bench.context.record("turns of several sources on one queue", queues.count { Set($0.map(\.who)).count > 1 })
  }

  private func note(_ who: String, _ what: String) { seen.append(Sighting(who: who, what: what, place: place())) }

  private func place() -> String { queues.firstIndex { $0.isExecuting }.map { "q\($0)" } ?? "elsewhere" }

  private func perform(_ step: Step) throws -> String {
    switch step {
    case .make(let number, let end, let interest, let queue): make(number, end, interest, queue)
    case .activate(let number): return outcome { try source(number).activate() }
    case .suspend(let number): source(number).suspend()
    case .resume(let number): source(number).resume()
    case .retarget(let number, let queue): return outcome { try source(number).setTarget(queues[queue]) }
    case .cancel(let number): source(number).cancel()
    case .write(let end, let count): return "\(ends[end].far.send(count: count))"
    case .burst(let writes): return try burst(writes)
    case .drain(let end): return "\(ends[end].far.receiveAll().count > 0)"
    case .halfClose(let end): ends[end].far.shutDownWriting()
    case .hangUp(let end): ends[end].far.close()
    case .register(let bad, let queue):
      let number = try BadDescriptor.all[bad].make(bench)
      let source = bench.dispatcher.makeReadSource(number, target: queues[queue])
      source.setCancelHandler { [self] in note("bad", "cancelled") }
      return outcome { try source.activate() }
    case .after(let time, let queue):
      let fired = bench.context.latch()
      queues[queue].asyncAfter(.milliseconds(time)) { [self] in
        note("timer", "fired")
        fired.signal()
      }
      try fired.wait(for: "a timer of a history")
    }
    return "done"
  }

  private func burst(_ writes: [(end: Int, count: Int)]) throws -> String {
    let gates = try bench.dispatcher.threadQueues.map { try bench.context.hold($0) }
    defer { for gate in gates { gate.open() } }
    let sent = try writes.map { end, count in
      let before = ends[end].near.available
      let sent = ends[end].far.send(count: count)
      // The loopback's bytes may take their time.
      if sent > 0 {
        try bench.context.eventually("bytes arrive", { ends[end].near.available == before + sent })
      }
      return "\(sent)"
    }
    return sent.joined(separator: ", ")
  }

  private func source(_ number: Int) -> ReadinessSource { sources.with { $0[number] } }

  private func make(_ number: Int, _ end: Int, _ interest: Interest, _ queue: Int) {
    let near = ends[end].near
    let budget = Tally(5)
    let made = bench.source(near, interest, on: queues[queue]) { [self] event in
      var what = "\(event.readiness)"
      var isOver = false
      if event.isReadable {
        // Less than may be there: the level has to say the rest.
        let received = near.receive(16)
        switch received {
        case .bytes(let bytes): what += " read \(bytes.count)"
        default:
          what += " \(received)"
          isOver = true
        }
      }
      // Room, and an end, stay for ever.
      if event.isWritable && budget.add(-1) <= 0 { isOver = true }
      note("s\(number)", what)
      if isOver { event.suspend() }
    }
    made.setCancelHandler { [self] in note("s\(number)", "cancelled") }
    sources.with { $0.append(made) }
  }

  /// The kind of an error, without descriptors and texts.
  private func outcome(_ body: () throws -> Void) -> String {
    guard let error = thrown(by: body) else { return "done" }
    switch error {
    case SourceError.registration(let refusal): return "refused with errno \(refusal.code)"
    case SourceError.cancelled: return "cancelled"
    default: return "\(type(of: error))"
    }
  }
}

private func sameHistories(_ context: CheckContext) throws {
  // One backend is compared with itself: a second run has to print the same.
  let others = context.subjects.filter { $0.name != context.subject.name }
  let subjects = [context.subject] + (others.isEmpty ? [context.subject] : others)
  for round in 0..<context.scaled(40, minimum: 6) {
    var random = context.random(round)
    let history = makeHistory(&random, length: 30, gathering: round % 2 == 0 ? nil : random.below(queueCount))
    var traces: [(name: String, lines: [String])] = []
    for subject in subjects {
      traces.append((subject.name, try Player(context, on: subject).play(history)))
      context.cleanUp()
    }
    for other in traces.dropFirst() {
      guard let index = traces[0].lines.indices.first(where: { traces[0].lines[$0] != other.lines[$0] }) else {
        continue
      }
      context.fail(
        """
        history \(round) differs at step \(index) of \(history.prefix(index + 1).map { "\($0)" }.joined(separator: "; ")):
              \(traces[0].name): \(traces[0].lines[index])
              \(other.name): \(other.lines[index])
        """)
      return
    }
    context.record("steps compared", history.count * (traces.count - 1))
    context.record("events seen", traces[0].lines.count { $0.contains("; in q") })
  }
}
