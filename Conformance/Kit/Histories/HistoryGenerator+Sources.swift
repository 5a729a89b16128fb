/// Connections, sources, and what their handlers do.
extension HistoryGenerator {
  mutating func connect(_ actor: HistoryActor, _ lane: Int) {
    let kind: Ends.Kind = random.oneIn(4) ? .tcp : .unixStream
    let line = add(actor, .connect(kind))
    lines.append((line, lane, kind == .tcp))
    watch(line, actor, lane)
    if random.oneIn(2) { add(actor, .write(connection: line, 1 + random.below(40))) }
  }

  private mutating func watch(_ line: Int, _ actor: HistoryActor, _ lane: Int) {
    let queue = anyQueue()
    let make: HistoryOperation =
      random.oneIn(4)
      ? .makeWriter(connection: line, queue, fills: random.oneIn(2))
      : .makeReader(connection: line, queue, take: random.pick([0, 1, 7, 16, 16, 64]))
    let source = add(actor, make)
    if random.oneIn(4) { fillHandler(source, on: queue, isMerger: false) }
    finish(source, actor, lane, isMerger: false)
  }

  mutating func makeMerger(_ actor: HistoryActor, _ lane: Int) {
    let queue = anyQueue()
    let source = add(actor, .makeMerger(queue))
    sources.append((source, lane, true))
    if random.oneIn(4) { fillHandler(source, on: queue, isMerger: true) }
    activate(source, actor)
  }

  /// What a handler does when it runs for the first time. In lockstep only what comes out in one way, whatever else runs
  /// at that moment.
  private mutating func fillHandler(_ source: Int, on queue: QueueName, isMerger: Bool) {
    let handler = HistoryActor.handler(source)
    for _ in 0...random.below(2) {
      switch random.below(pace == .racing ? 8 : 4) {
      case 0: submit(handler, depth: 1)
      case 1: if isMerger { add(handler, .merge(into: source)) } else { merge(handler) }
      case 2: timers.append(add(handler, .arm(anyQueue(), random.pick([.none, .short, .longer]))))
      // In lockstep one that merges at that moment would be refused or not.
      case 3: if pace == .racing || !isMerger { add(handler, .cancel(source)) }
      case 4:
        suspended.append(.source(source))
        add(handler, .suspend(.source(source)))
      case 5: if case .serial(let own) = queue { add(handler, .retarget(own, anyQueue())) }
      case 6: add(handler, .move(source: source, anyQueue()))
      default: state(handler)
      }
    }
  }

  mutating func makeRefused(_ actor: HistoryActor, _ lane: Int) {
    finish(add(actor, .makeRefused(random.oneIn(12) ? .file : .negative, anyQueue())), actor, lane, isMerger: false)
  }

  private mutating func finish(_ source: Int, _ actor: HistoryActor, _ lane: Int, isMerger: Bool) {
    sources.append((source, lane, isMerger))
    activate(source, actor)
  }

  /// Most sources are activated at once.
  private mutating func activate(_ source: Int, _ actor: HistoryActor) {
    if !random.oneIn(5) { add(actor, .activate(source)) }
  }

  mutating func source(_ actor: HistoryActor, _ lane: Int) {
    let own = sources.filter { $0.owner == lane }
    guard !own.isEmpty else { return }
    let name = random.pick(own.map(\.name))
    switch random.below(5) {
    case 0, 1: add(actor, .move(source: name, anyQueue()))
    case 2: add(actor, .take(source: name, random.pick([0, 3, 16])))
    case 3: add(actor, .activate(name))
    default: add(actor, .cancel(name))
    }
  }

  mutating func merge(_ actor: HistoryActor) {
    let mergers = sources.filter(\.isMerger)
    guard !mergers.isEmpty else { return }
    let name = random.pick(mergers.map(\.name))
    for _ in 0...random.below(3) { add(actor, .merge(into: name)) }
  }

  mutating func line(_ actor: HistoryActor, _ lane: Int) {
    let own = lines.filter { $0.owner == lane }
    guard !own.isEmpty else { return }
    let (line, _, isTCP) = random.pick(own)
    switch random.below(12) {
    case 0: watch(line, actor, lane)
    case 1:
      let ending = random.pick(FarEnd.allCases)
      add(actor, .end(connection: line, isTCP || ending != .reset ? ending : .hangUp))
    case 2: add(actor, .close(connection: line))
    case 3:
      // A handler that is about to start is what the number must not be taken from under.
      if pace == .racing, random.oneIn(2) { add(actor, .write(connection: line, 1 + random.below(40))) }
      // The new connection takes the name of the step.
      let new = add(
        actor, .replace(connection: line, keepsDuplicate: random.oneIn(2), random.pick(Predecessors.allCases)))
      lines.append((new, lane, false))
      if !random.oneIn(3) { watch(new, actor, lane) }
      if random.oneIn(2) { add(actor, .write(connection: new, 1 + random.below(40))) }
    case 4: add(actor, .drain(connection: line))
    default: add(actor, .write(connection: line, 1 + random.below(40)))
    }
  }

  /// A writer that fills its connection, or one that waits for room where there is none; and then the far end makes room.
  mutating func fillAndDrain(_ actor: HistoryActor, _ lane: Int) {
    let own = lines.filter { $0.owner == lane && !$0.isTCP }
    guard !own.isEmpty else { return connect(actor, lane) }
    let line = random.pick(own).name
    let queue = anyQueue()
    let fills = pace == .lockstep || random.oneIn(2)
    let source = add(actor, .makeWriter(connection: line, queue, fills: fills))
    if !fills { add(actor, .fill(connection: line)) }
    finish(source, actor, lane, isMerger: false)
    if random.oneIn(2) { choose(actor) }
    for _ in 0...random.below(3) { add(actor, .drain(connection: line)) }
  }
}
