/// Where work may run: the paths from a queue along its targets to a root.
extension HistoryModel {
  /// Every path that is possible now, as the set of the queues on it, the global ones left out; only those that the
  /// worker serves, if one is given.
  ///
  /// - Parameter ignoringHolds: count paths on which a queue is held, too.
  func paths(from queue: QueueName, servedBy worker: Int? = nil, ignoringHolds: Bool = false) -> [Set<QueueName>] {
    var found: [Set<QueueName>] = []
    func follow(_ at: QueueName, _ behind: Set<QueueName>) {
      switch at {
      case .global: found.append(behind)
      case .thread(let own): if worker == nil || worker == own { found.append(behind.union([at])) }
      case .serial(let number):
        // Two values that cannot be true at once may look like a cycle.
        guard !behind.contains(at), ignoringHolds || queues[number].holds.least == 0 else { return }
        for target in queues[number].target.values { follow(target, behind.union([at])) }
      }
    }
    follow(queue, [])
    return found
  }

  /// Whether nothing on any possible path is, or may be, held.
  func mustRun(_ queue: QueueName) -> Bool {
    func isFree(_ at: QueueName, _ behind: Set<QueueName>) -> Bool {
      guard case .serial(let number) = at else { return true }
      guard !behind.contains(at) else { return true }
      return queues[number].holds.most == 0
        && queues[number].target.values.allSatisfy { isFree($0, behind.union([at])) }
    }
    return isFree(queue, [])
  }

  /// The worker to which the queue is pinned, if that is certain.
  func pinnedWorker(of queue: QueueName) -> Int? {
    switch queue {
    case .global: return nil
    case .thread(let worker): return worker
    case .serial:
      let roots = Set(paths(from: queue, ignoringHolds: true).map { path in path.compactMap(\.worker).first })
      return roots.count == 1 ? roots.first ?? nil : nil
    }
  }

  // MARK: Cycles

  /// Whether giving `queue` the target may lead back to it; whether it must.
  func cycle(_ queue: Int, _ target: QueueName) -> (may: Bool, must: Bool) {
    func look(_ at: QueueName, _ behind: Set<QueueName>) -> (may: Bool, must: Bool) {
      guard case .serial(let number) = at else { return (false, false) }
      if number == queue { return (true, true) }
      if behind.contains(at) { return (false, false) }
      let next = queues[number].target.values.map { look($0, behind.union([at])) }
      return (next.contains { $0.may }, next.allSatisfy { $0.must })
    }
    return look(target, [])
  }

  /// Some target may have changed: takes note for every retarget that has not returned.
  mutating func noteCycles() {
    for (number, call) in calls {
      guard case .retarget(let queue, let target) = call.operation else { continue }
      let (may, must) = cycle(queue, target)
      calls[number]?.mayCycle = call.mayCycle || may
      calls[number]?.mustCycle = call.mustCycle && must
    }
  }

  mutating func seen(_ target: QueueName, of queue: Int) throws {
    let possible = queues[queue].target.values
    try require(
      queues[queue].target.observe(target), "M3: q\(queue) has the target \(target), not one of \(possible)")
  }

  // MARK: Starting

  /// Gives the work its place on the worker, or rejects it.
  mutating func place(_ work: HistoryWork, on queue: QueueName, _ worker: Int) throws {
    try require(phases != [.stopped], "L3: \(work) started after the dispatcher had stopped")
    try require(worker >= 0, "Q3: \(work) started on a thread that is no worker")
    if let other = running.first(where: { $0.value.worker == worker }) {
      throw Rejection("Q3: \(work) started inside \(other.key), on one thread")
    }
    let possible = paths(from: queue, servedBy: worker)
    if possible.isEmpty {
      let isHeld = !paths(from: queue, servedBy: worker, ignoringHolds: true).isEmpty
      throw Rejection(
        isHeld
          ? "L1: \(work) started on \(queue), which is suspended or below one that is"
          : "M2: \(work) started on \(queue) on worker \(worker), to which its targets do not lead")
    }
    let certain = possible.dropFirst().reduce(possible[0]) { $0.intersection($1) }
    if let other = running.first(where: { !$0.value.path.isDisjoint(with: certain) }) {
      let shared = other.value.path.intersection(certain).map(\.description).sorted().joined(separator: ", ")
      throw Rejection("Q2: \(work) started while \(other.key) ran in \(shared)")
    }
    settle(startOf: work, on: certain)
    shutdown?.busyWorkers.insert(worker)
    running[work] = Running(queue: queue, worker: worker, path: certain, available: available(to: work))
  }

  // MARK: Settling

  /// A change has returned. It settles, unless a worker may have taken something just before.
  mutating func conclude(_ change: Change) {
    if couldHaveBeenTaken(change.what) { lingering.append(change) } else { settle(change) }
  }

  mutating func settleAll() {
    for change in lingering { settle(change) }
    lingering = []
  }

  /// What was taken before a change has started by now, at the latest.
  private mutating func settle(startOf work: HistoryWork, on path: Set<QueueName>) {
    func isSettled(_ change: Change) -> Bool {
      switch change.what {
      case .hold(.queue(let number)), .retarget(let number): path.contains(.serial(number))
      case .hold(.source(let number)), .move(let number), .cancel(let number): work == .handler(number)
      }
    }
    for change in lingering where isSettled(change) { settle(change) }
    lingering.removeAll(where: isSettled)
  }

  private mutating func settle(_ change: Change) {
    switch change.what {
    case .hold(.queue(let queue)): queues[queue].holds.settleSuspend(change.number)
    case .hold(.source(let source)): sources[source]?.holds.settleSuspend(change.number)
    case .retarget(let queue): settleRetarget(change.number, of: queue)
    case .move(let source): sources[source]?.target.settle(change.number)
    case .cancel(let source): sources[source]?.cancelSettled = true
    }
  }

  private func couldHaveBeenTaken(_ what: Change.What) -> Bool {
    switch what {
    case .hold(.queue(let number)), .retarget(let number):
      let queue = QueueName.serial(number)
      // A queue that runs something has taken nothing else.
      guard !running.values.contains(where: { $0.path.contains(queue) }) else { return false }
      return startable.contains { on in paths(from: on).contains { $0.contains(queue) } }
    case .hold(.source(let number)), .cancel(let number):
      return mayStart(handlerOf: number)
    case .move(let number):
      return mayStart(handlerOf: number) || mayStart(cancelHandlerOf: number)
    }
  }
}

extension QueueName {
  /// The worker of a thread queue.
  var worker: Int? { if case .thread(let worker) = self { worker } else { nil } }
}
