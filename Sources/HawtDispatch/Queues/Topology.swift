internal import Synchronization

/// The tree of queues of a dispatcher: who targets whom, and which worker is home to a tree's sources and timers.
///
/// One lock per dispatcher guards the links, the targets' replacement and the homes. It is never taken on the path of a
/// task. Under it nothing is released that could be the last reference to a queue, and no user code runs: the links own
/// nothing, and whatever is reached through them is *pinned* first, until the lock has been released (see `Pins`).
final class Topology: @unchecked Sendable {
  // Sound as Sendable: all of it is guarded by `lock`.
  private let maximumDepth: Int
  let lock = Lock()
  private let owner = OwnerReference()
  private var dispatcher: DispatcherCore { owner.value }
  /// The first serial queue that targets each root, by the root's index (see `QueueCore.rootIndex`).
  private var firstChildren: [Unmanaged<SerialCore>?]
  /// How many sources that register have each worker for home (rule M9).
  private var sourcesAtHome: [Int]
  /// The worker that was chosen last where several were as good.
  private var lastChoice: Int
  /// Kept between retargets, so that a steady one allocates nothing.
  private var scratch: [PollerWork] = []
  private var pins = Pins()

  func adopt(_ dispatcher: DispatcherCore) { owner.set(dispatcher) }

  init(workers: Int, maximumDepth: Int) {
    self.maximumDepth = maximumDepth
    firstChildren = Array(repeating: nil, count: workers + Priority.allCases.count)
    sourcesAtHome = Array(repeating: 0, count: workers)
    lastChoice = workers - 1
  }

  // MARK: The lock

  /// Runs `body` under the lock, and lets go of what it pinned afterwards.
  private func withLock<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
    lock.lock()
    defer {
      var pinned = Pins()
      swap(&pinned, &pins)
      lock.unlock()
      pinned.release()
      // The memory of many is kept for the next time.
      if pinned.capacity > 0 { lock.withLock { if pins.isUnused { swap(&pinned, &pins) } } }
    }
    return try body()
  }

  // MARK: Links

  /// Adds a queue that nobody knows yet below its target. Throws if the chain would be too deep.
  func link(_ queue: SerialCore, below target: QueueCore) throws(DispatcherError) {
    try withLock { () throws(DispatcherError) in
      guard depth(of: target) < maximumDepth else {
        throw .targetTooDeep(queue: queue.label, target: target.label, limit: maximumDepth)
      }
      insert(queue, below: target)
      // A shutdown closes the queues that are linked after its phase was entered, under this lock.
      if !dispatcher.isRunning { queue.close() }
    }
  }

  /// Takes out a queue that is going. It has no children and no sources: they would keep it alive.
  func unlink(_ queue: SerialCore) {
    withLock { remove(queue) }
  }

  private func withFirstChild(of parent: QueueCore, _ body: (inout Unmanaged<SerialCore>?) -> Void) {
    if let serial = parent as? SerialCore { body(&serial.firstChild) } else { body(&firstChildren[parent.rootIndex]) }
  }

  private func insert(_ queue: SerialCore, below parent: QueueCore) {
    withFirstChild(of: parent) { first in
      queue.nextSibling = first
      pins.add(first)
      first?._withUnsafeGuaranteedRef { $0.previousSibling = .passUnretained(queue) }
      first = .passUnretained(queue)
    }
    queue.isLinked = true
  }

  private func remove(_ queue: SerialCore) {
    guard queue.isLinked else { return }
    queue.isLinked = false
    pins.add(queue.nextSibling)
    pins.add(queue.previousSibling)
    if let next = queue.nextSibling { next._withUnsafeGuaranteedRef { $0.previousSibling = queue.previousSibling } }
    if let previous = queue.previousSibling {
      previous._withUnsafeGuaranteedRef { $0.nextSibling = queue.nextSibling }
    } else {
      withFirstChild(of: queue.target.current) { $0 = queue.nextSibling }
    }
    queue.nextSibling = nil
    queue.previousSibling = nil
  }

  /// How many serial queues there are from `queue`, itself counted, to its root, which is not.
  private func depth(of queue: QueueCore) -> Int {
    var depth = 0
    var at = queue
    while let serial = at as? SerialCore {
      at = serial.target.current
      depth += 1
    }
    return depth
  }

  /// How many levels of queues hang below `queue`, itself counted. Its recursion is bounded by the depth limit.
  private func height(of queue: SerialCore) -> Int {
    var height = 0
    forEachChild(of: queue) { height = max(height, self.height(of: $0)) }
    return height + 1
  }

  private func forEachChild(of queue: QueueCore, _ body: (SerialCore) -> Void) {
    var next = (queue as? SerialCore).map { $0.firstChild } ?? firstChildren[queue.rootIndex]
    while let child = next {
      let isAlive = pins.add(child)
      child._withUnsafeGuaranteedRef {
        next = $0.nextSibling
        // One that is going has nothing left below it, and must not be referred to.
        if isAlive { body($0) }
      }
    }
  }

  /// Every queue below `queue`, itself first. The lock is held; the body must not release a queue.
  private func forEachInTree(_ queue: QueueCore, _ body: (QueueCore) -> Void) {
    body(queue)
    forEachChild(of: queue) { self.forEachInTree($0, body) }
  }

  /// Every queue of the dispatcher. The lock is taken; the body must not release a queue nor take the lock.
  func forEachQueue(_ body: (QueueCore) -> Void) {
    withLock {
      for root in dispatcher.roots { forEachInTree(root, body) }
    }
  }

  // MARK: Retargeting

  /// `SerialQueue.setTarget`, after the checks that need no lock.
  func retarget(
    _ queue: SerialCore, to target: QueueCore, completion: RetargetCompletion?, worker: WorkerRef?
  ) throws(DispatcherError) {
    var work: [PollerWork] = []
    // Released after the lock: it may be the last reference to the old target.
    var old: QueueCore?
    var superseded: RetargetCompletion?
    try withLock { () throws(DispatcherError) in
      try check(queue, target)
      swap(&work, &scratch)
      let oldHome = home(of: queue)
      remove(queue)
      if target is ThreadCore { queue.beginCommuting() }
      old = queue.target.replace(with: target)
      insert(queue, below: target)
      superseded = queue.existingExtras?.retarget
      if completion != nil || superseded != nil { queue.extras.retarget = completion }
      rehome(queue, from: oldHome, completion: completion, &work)
      if let epoch = queue.raiseEpoch(worker) { completion?.expectLeaving(epoch) }
    }
    superseded?.supersede()
    for item in work { item.requestReconcile(worker) }
    completion?.fulfil()
    work.removeAll(keepingCapacity: true)
    lock.withLock { if work.capacity > scratch.capacity { swap(&work, &scratch) } }
    withExtendedLifetime(old) {}
  }

  private func check(_ queue: SerialCore, _ target: QueueCore) throws(DispatcherError) {
    guard dispatcher.isRunning else { throw .stopped(dispatcher: dispatcher.name) }
    var at = target
    var depth = 0
    while let serial = at as? SerialCore {
      guard serial !== queue else { throw .targetCycle(queue: queue.label, target: target.label) }
      at = serial.target.current
      depth += 1
    }
    guard depth + height(of: queue) <= maximumDepth else {
      throw .targetTooDeep(queue: queue.label, target: target.label, limit: maximumDepth)
    }
  }

  /// The epoch of a queue whose target is `root`; nil if it is another.
  func epoch(of queue: SerialCore, at root: QueueCore) -> UInt32? {
    // Raised under the lock only.
    lock.withLock { queue.target.current === root ? SerialState(queue.state.load(ordering: .relaxed)).epoch : nil }
  }

  /// The runner of a queue that was moving has left it.
  func left(_ queue: SerialCore, epoch: UInt32) {
    let completion = lock.withLock { () -> RetargetCompletion? in
      guard let completion = queue.existingExtras?.retarget, completion.takeLeaving(upTo: epoch) else { return nil }
      return completion
    }
    completion?.fulfil()
  }

  // MARK: Homes (rules M4, M9)

  /// The worker that a pinned tree runs on; of an unpinned one the worker that serves its sources, if it has been given
  /// one. The lock is held.
  private func home(of queue: QueueCore) -> Int? {
    var at = queue
    while let serial = at as? SerialCore {
      let next = serial.target.current
      if let root = next as? ThreadCore { return root.index }
      if next is GlobalCore { return serial.home }
      at = next
    }
    return (at as? ThreadCore)?.index
  }

  /// `SerialQueue.pinnedWorker`.
  func pinnedWorker(of queue: SerialCore) -> Int? {
    lock.withLock {
      var at: QueueCore = queue
      while let serial = at as? SerialCore { at = serial.target.current }
      return (at as? ThreadCore)?.index
    }
  }

  /// The same, given one if there is none: the worker that is home to the fewest sources. For sources that register: what
  /// does not, timers and the like, fixes nobody's home, or the first timers would decide where the sources of later go.
  private func assignedHome(of queue: QueueCore) -> Int {
    if let home = home(of: queue) { return home }
    let chosen = fewest
    var at = queue
    while let serial = at as? SerialCore {
      let next = serial.target.current
      if next is GlobalCore { serial.home = chosen }
      at = next
    }
    return chosen
  }

  /// The worker that is home to the fewest sources; of several, each in turn.
  private var fewest: Int {
    let least = sourcesAtHome.min() ?? 0
    repeat { lastChoice = (lastChoice + 1) % sourcesAtHome.count } while sourcesAtHome[lastChoice] != least
    return lastChoice
  }

  /// A home for what registers nothing, where its tree has none: any, in turn.
  private var anyHome: Int {
    lastChoice = (lastChoice + 1) % sourcesAtHome.count
    return lastChoice
  }

  /// Whether anything below `queue`, itself included, registers.
  private func hasRegistrations(_ queue: QueueCore) -> Bool {
    var found = false
    forEachInTree(queue) { member in
      var next = member.firstSource
      while let source = next, !found {
        source._withUnsafeGuaranteedRef {
          next = $0.nextOfQueue
          found = $0.registers
        }
      }
    }
    return found
  }

  /// After a queue has got another target: its sources and timers, and those below it, get the new root's home.
  private func rehome(
    _ queue: SerialCore, from oldHome: Int?, completion: RetargetCompletion?, _ work: inout [PollerWork]
  ) {
    // A tree that leaves a thread for the global queue keeps its sources where they are, as nothing is gained by
    // moving them; one that joins another tree takes over that tree's home.
    if home(of: queue) == nil, let oldHome, queue.target.current is GlobalCore, hasRegistrations(queue) {
      queue.home = oldHome
    }
    forEachInTree(queue) { member in
      if member !== queue || !(queue.target.current is GlobalCore) { member.home = nil }
      var next = member.firstSource
      while let source = next {
        source._withUnsafeGuaranteedRef {
          next = $0.nextOfQueue
          // What registers nothing stays where it is, unless its tree has a home.
          let home = $0.registers ? self.assignedHome(of: queue) : self.home(of: queue)
          guard let home, self.setHome(of: $0, home) else { return }
          work.append($0)
        }
      }
      let (continuous, suspending) = member.existingExtras?.existingTimers ?? (nil, nil)
      for group in [continuous, suspending].lazy.compactMap({ $0 }) {
        guard let home = self.home(of: queue),
          group.home.exchange(home) != home
        else { continue }
        work.append(group)
      }
    }
    if let completion {
      completion.expect(work.count)
      for item in work { item.add(completion) }
    }
    let newHome = home(of: queue)
    if oldHome != newHome {
      if let oldHome { dispatcher.workers[oldHome].counters.migrationsOut.wrappingAdd(1, ordering: .relaxed) }
      if let newHome { dispatcher.workers[newHome].counters.migrationsIn.wrappingAdd(1, ordering: .relaxed) }
    }
  }

  private func setHome(of source: SourceBase, _ home: Int) -> Bool {
    let old = source.home.exchange(home)
    guard old != home else { return false }
    if source.registers {
      if old >= 0 { sourcesAtHome[old] -= 1 }
      sourcesAtHome[home] += 1
    }
    return true
  }

  /// Adds a source that nobody knows yet to its target, and gives it a home.
  func add(_ source: SourceBase, to queue: QueueCore) {
    lock.withLock {
      insertSource(source, queue)
      _ = setHome(of: source, firstHome(of: source, queue))
    }
  }

  private func firstHome(of source: SourceBase, _ queue: QueueCore) -> Int {
    guard source.registers else { return home(of: queue) ?? anyHome }
    return queue is GlobalCore ? fewest : assignedHome(of: queue)
  }

  private func insertSource(_ source: SourceBase, _ queue: QueueCore) {
    source.nextOfQueue = queue.firstSource
    queue.firstSource?._withUnsafeGuaranteedRef { $0.previousOfQueue = .passUnretained(source) }
    queue.firstSource = .passUnretained(source)
  }

  private func removeSource(_ source: SourceBase) {
    let queue = source.target.current
    if let next = source.nextOfQueue { next._withUnsafeGuaranteedRef { $0.previousOfQueue = source.previousOfQueue } }
    if let previous = source.previousOfQueue {
      previous._withUnsafeGuaranteedRef { $0.nextOfQueue = source.nextOfQueue }
    } else {
      queue.firstSource = source.nextOfQueue
    }
    source.nextOfQueue = nil
    source.previousOfQueue = nil
  }

  /// Takes out a source that is finished.
  func remove(_ source: SourceBase) {
    lock.withLock {
      removeSource(source)
      let home = source.home.exchange(-1)
      if home >= 0, source.registers { sourcesAtHome[home] -= 1 }
    }
  }

  /// `setTarget` of a source: like that of a queue without children.
  func retarget(
    _ source: SourceBase, to target: QueueCore, completion: RetargetCompletion?, worker: WorkerRef?
  ) throws(DispatcherError) {
    var old: QueueCore?
    var superseded: [RetargetCompletion] = []
    try withLock { () throws(DispatcherError) in
      guard dispatcher.isRunning else { throw .stopped(dispatcher: dispatcher.name) }
      // One that is finished is in no queue's list any more.
      guard source.home.relaxed >= 0 else { return }
      removeSource(source)
      old = source.target.replace(with: target)
      insertSource(source, target)
      if !(target is GlobalCore) { _ = setHome(of: source, firstHome(of: source, target)) }
      superseded = source.takeOvertaken()
      completion?.expect(1)
      if let completion { source.add(completion) }
      source.raiseEpoch(worker)
    }
    for overtaken in superseded { overtaken.supersede() }
    source.targetChanged()
    source.requestReconcile(worker)
    completion?.fulfil()
    withExtendedLifetime(old) {}
  }

  /// Gives a queue's timers a home, if they have none: their tree's, or any.
  func giveHome(to group: TimerGroup, of queue: QueueCore) {
    lock.withLock {
      guard group.home.relaxed < 0 else { return }
      // Those of both clocks are at one worker, which puts them in order (rule T1).
      let (continuous, suspending) = queue.existingExtras?.existingTimers ?? (nil, nil)
      let homes = [continuous, suspending].lazy.compactMap { $0?.home.relaxed }
      let given = home(of: queue) ?? homes.first { $0 >= 0 } ?? anyHome
      group.home.store(given)
    }
  }
}
