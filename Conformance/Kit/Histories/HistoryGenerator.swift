/// Makes the history of a seed: chooses steps that mostly mean something where they stand. One that does not, because
/// what it is about was never made or is gone, is passed over when it is played; so steps can be left out at will.
struct HistoryGenerator {
  let pace: HistoryPace
  var random: SeededRandom
  private(set) var steps: [HistoryStep] = []
  /// How many steps there were when each was made, the bodies of tasks included, is what steps are called after.
  private var count: Int { steps.count }

  // What was made so far. In a racing history a connection, its sources' targets and what they are fed belong to the
  // thread that made it: two threads that end one connection at once would only race in the kernel.
  var lines: [(name: Int, owner: Int, isTCP: Bool)] = []
  var sources: [(name: Int, owner: Int, isMerger: Bool)] = []
  var timers: [Int] = []
  var suspended: [Holdable] = []
  /// Queues that are busy in this history: chance alone would spread the steps too thin.
  private var favourites: [QueueName] = []

  init(_ pace: HistoryPace, seed: UInt64) {
    self.pace = pace
    random = SeededRandom(seed: seed ^ (pace == .racing ? 0x5bd1_e995 : 0))
    _ = random.next()
  }

  mutating func generate() -> [HistoryStep] {
    favourites = (0..<2).map { _ in .serial(random.below(History.serialQueues)) } + [.thread(0), .global]
    let stops = random.oneIn(10)
    switch pace {
    case .lockstep: lockstep(stops)
    case .racing: racing(stops)
    }
    return steps
  }

  private mutating func lockstep(_ stops: Bool) {
    let length = 12 + random.below(14)
    let stopsAt = stops ? 4 + random.below(length - 4) : -1
    for index in 0..<length {
      if index == stopsAt { add(.outside(0), .shutDown(isPatient: !random.oneIn(3))) }
      if stops && index > stopsAt && random.oneIn(3) { add(.outside(0), .restart) }
      choose(.outside(0))
    }
  }

  private mutating func racing(_ stops: Bool) {
    let rounds = 2 + random.below(3)
    let stopsAt = stops ? random.below(rounds) : -1
    for round in 0..<rounds {
      let length = 6 + random.below(9)
      let stop = round == stopsAt ? random.below(length) : -1
      for index in 0..<length {
        let lane = HistoryActor.outside(random.below(2))
        if index == stop { add(lane, .shutDown(isPatient: !random.oneIn(3))) }
        choose(lane)
      }
      add(.outside(0), .meet)
      if round == stopsAt {
        add(.outside(0), .restart)
        add(.outside(0), .meet)
      }
    }
  }

  @discardableResult
  mutating func add(_ actor: HistoryActor, _ operation: HistoryOperation) -> Int {
    steps.append(HistoryStep(number: count, by: actor, operation: operation))
    return count - 1
  }

  // MARK: Choosing

  /// Adds one step, or a few that belong together.
  mutating func choose(_ actor: HistoryActor) {
    guard case .outside(let lane) = actor else { return }
    switch random.below(20) {
    case 0, 1, 2: submit(actor)
    case 3: submitAlone(actor)
    case 4: arm(actor)
    case 5, 6, 7: state(actor)
    case 8, 9: connect(actor, lane)
    case 10: makeMerger(actor, lane)
    case 11, 12, 13, 14: line(actor, lane)
    case 15, 16: merge(actor)
    case 17, 18: source(actor, lane)
    default:
      switch random.below(6) {
      case 0: makeRefused(actor, lane)
      case 1, 2: fillAndDrain(actor, lane)
      default: state(actor)
      }
    }
  }

  mutating func anyQueue() -> QueueName {
    if random.below(3) > 0 { return random.pick(favourites) }
    switch random.below(8) {
    case 0: return .global
    case 1, 2: return .thread(random.below(History.workers))
    default: return .serial(random.below(History.serialQueues))
    }
  }

  mutating func anySource() -> Int? { sources.isEmpty ? nil : random.pick(sources.map(\.name)) }

  // MARK: Tasks

  mutating func submit(_ actor: HistoryActor, depth: Int = 0) {
    let task = add(actor, .submit(anyQueue()))
    fill(task, depth)
  }

  /// What the task does. In lockstep only what can be seen in one way when tasks of several queues do it at once.
  private mutating func fill(_ task: Int, _ depth: Int) {
    let body = HistoryActor.task(task)
    for _ in 0..<random.below(depth == 0 ? 4 : 2) {
      switch random.below(8) {
      case 0, 1, 2: if depth < 2 { submit(body, depth: depth + 1) }
      case 3: merge(body)
      case 4: add(body, .fail)
      case 5: timers.append(add(body, .arm(anyQueue(), random.pick([.none, .short, .longer]))))
      default: if pace == .racing { state(body) } else { merge(body) }
      }
      if pace == .racing, random.oneIn(4) { add(body, .dawdle(microseconds: random.pick([5, 20, 60]))) }
    }
  }

  /// A task that does one thing to the state of queues or sources: so everything is also done on a worker.
  private mutating func submitAlone(_ actor: HistoryActor) {
    let queue = anyQueue()
    let body = HistoryActor.task(add(actor, .submit(queue)))
    if random.oneIn(6), let source = anySource() { return _ = add(body, .cancel(source)) }
    guard case .serial(let own) = queue, random.oneIn(3) else { return state(body) }
    // What it does to the queue that runs it takes effect when it has ended.
    if random.oneIn(2) { return _ = add(body, .retarget(own, anyQueue())) }
    add(body, .suspend(.queue(own)))
    // This cancels out; otherwise somebody else must come.
    if pace == .lockstep || random.oneIn(2) { add(body, .resume(.queue(own))) } else { suspended.append(.queue(own)) }
  }

  mutating func arm(_ actor: HistoryActor) {
    let task = add(actor, .arm(anyQueue(), random.pick(Delay.allCases)))
    timers.append(task)
    if random.oneIn(2) { fill(task, 1) }
  }

  // MARK: State

  /// Holds, targets and cancels: legal for anybody, anywhere.
  mutating func state(_ actor: HistoryActor) {
    switch random.below(10) {
    case 0, 1:
      let what = holdable()
      suspended.append(what)
      add(actor, .suspend(what))
    case 2, 3, 4:
      guard !suspended.isEmpty else { return }
      // The one that was suspended first has gathered most.
      let index = random.oneIn(2) ? 0 : random.below(suspended.count)
      add(actor, .resume(suspended.remove(at: index)))
    case 5, 6, 7: retarget(actor)
    case 8: if let timer = timers.last { add(actor, .disarm(timer: random.oneIn(2) ? timer : random.pick(timers))) }
    default:
      guard let source = anySource() else { return }
      add(actor, random.oneIn(3) ? .cancel(source) : .activate(source))
    }
  }

  private mutating func retarget(_ actor: HistoryActor) {
    let queue = serial()
    add(actor, .retarget(queue, anyQueue()))
    guard pace == .racing, random.oneIn(3) else { return }
    // Several at once: one wins, and the others are superseded.
    for _ in 0...random.below(2) {
      add(actor.isOutside ? .outside(random.below(2)) : actor, .retarget(queue, anyQueue()))
    }
  }

  mutating func serial() -> Int {
    if random.oneIn(2), case .serial(let number) = favourites[0] { return number }
    return random.below(History.serialQueues)
  }

  private mutating func holdable() -> Holdable {
    if random.oneIn(2), let source = anySource() { return .source(source) }
    return .queue(serial())
  }
}
