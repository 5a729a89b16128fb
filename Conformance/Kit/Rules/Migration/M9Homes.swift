import HawtDispatch

extension Rule {
  static let m9 = Rule(
    "M9", "an unpinned tree has one home worker, the one with the fewest registrations when it was given",
    why: "sources of one session side by side cost no hops, and all on one worker would not scale",
    whereToLook: [MigrationFiles.source, "where a home is given, and counted"],
    checks: [
      Check("all sources of a tree register at one worker", oneHomePerTree),
      Check("homes are shared out evenly, counted at creation", evenHomes),
      Check("pinned registrations count too", pinnedCount),
      Check("what registers nothing decides nothing", othersDoNotCount),
      Check("a tree that is grafted onto another adopts its home", graftAdoptsHome),
    ])
}

private func silentSource(
  _ context: CheckContext, _ dispatcher: Dispatcher, on queue: any Queue
) throws -> ReadinessSource {
  let pipe = try context.makePipe()
  return dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in }
}

private func cancelAll(_ sources: [ReadinessSource], _ context: CheckContext) throws {
  let done = context.latch(sources.count)
  for source in sources {
    source.setCancelHandler { done.signal() }
    source.cancel()
  }
  try done.wait(for: "cancel handlers")
}

private func oneHomePerTree(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  var all: [ReadinessSource] = []
  for _ in 0..<9 {
    let root = dispatcher.makeSerialQueue(label: "root")
    var tree = [root]
    for index in 0..<4 { tree.append(try dispatcher.makeSerialQueue(label: "\(index)", target: tree[index / 2])) }
    let sources = try tree.map { try silentSource(context, dispatcher, on: $0) }
    for source in sources { try source.activate() }
    let homes = Set(sources.compactMap(\.registeredWorker))
    context.expect(homes.count == 1, "the sources of one unpinned tree are registered with workers \(homes.sorted())")
    all += sources
    context.record("trees with one home")
  }
  let counts = dispatcher.metrics.map(\.registrations)
  context.expect(counts == [15, 15, 15], "9 trees of 5 sources are registered as \(counts) with 3 workers")
  try cancelAll(all, context)
}

private func evenHomes(_ context: CheckContext) throws {
  for activateAtOnce in [true, false] {
    let dispatcher = try context.makeDispatcher(workers: 4)
    var sources: [ReadinessSource] = []
    for _ in 0..<12 {
      let source = try silentSource(context, dispatcher, on: dispatcher.makeSerialQueue(label: "tree"))
      if activateAtOnce { try source.activate() }
      sources.append(source)
    }
    // All made before any is registered: only a count taken at creation shares them out.
    if !activateAtOnce { for source in sources { try source.activate() } }
    let counts = dispatcher.metrics.map(\.registrations)
    context.expect(counts == [3, 3, 3, 3], "12 trees are homed as \(counts) (activated at once: \(activateAtOnce))")
    // What a worker loses makes room for new ones.
    let leaving = sources.filter { $0.registeredWorker == 2 }
    try cancelAll(leaving, context)
    sources.removeAll { $0.isCancelled }
    // The cancel handler may still be returning when it has been heard of.
    try context.settle(dispatcher)
    for _ in 0..<3 {
      let source = try silentSource(context, dispatcher, on: dispatcher.makeSerialQueue(label: "late tree"))
      try source.activate()
      context.expect(
        source.registeredWorker == 2, "a new tree's home is worker \(source.registeredWorker ?? -1), 2 has fewest")
      sources.append(source)
    }
    context.record("homes given", sources.count)
    try cancelAll(sources, context)
  }
}

private func pinnedCount(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let pinned = try (0..<4).map { _ in try silentSource(context, dispatcher, on: dispatcher.threadQueues[0]) }
  for source in pinned { try source.activate() }
  let free = try (0..<8).map { _ in
    try silentSource(context, dispatcher, on: dispatcher.makeSerialQueue(label: "tree"))
  }
  for source in free { try source.activate() }
  let counts = dispatcher.metrics.map(\.registrations)
  context.expect(counts == [4, 4, 4], "4 pinned sources and 8 trees are registered as \(counts)")
  context.record("homes beside pinned sources", free.count)
  try cancelAll(pinned + free, context)
}

/// Timers and merging sources take no place in a poller.
private func othersDoNotCount(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 4)
  let trees = (0..<24).map { dispatcher.makeSerialQueue(label: "tree \($0)") }
  // One worker has many, and each tree has one before it has its first source.
  let pinned = (0..<8).map { _ in dispatcher.makeTimerSource(target: dispatcher.threadQueues[1]) { _ in } }
  let handles = trees.map { $0.asyncAfter(.seconds(3_600)) {} }
  let merging = trees.map { dispatcher.makeMergingSource(.sum, target: $0) { (_: Int) in } }
  // And some have been elsewhere together.
  for queue in trees.suffix(8) { try context.move(queue, to: dispatcher.threadQueues[3]) }
  for queue in trees.suffix(8) { try context.move(queue, to: dispatcher.global()) }
  // Homes that timers were given in turn would be one and the same for every fourth tree.
  let chosen = trees.prefix(16).enumerated().filter { $0.offset % 4 == 0 }.map(\.element) + trees.suffix(8)
  let sources = try chosen.map { try silentSource(context, dispatcher, on: $0) }
  for source in sources { try source.activate() }
  let counts = dispatcher.metrics.map(\.registrations)
  context.expect(counts == [3, 3, 3, 3], "12 trees beside timers and merging sources are homed as \(counts)")
  context.record("homes beside timers", sources.count)
  for handle in handles { handle.cancel() }
  for timer in pinned { timer.cancel() }
  for source in merging { source.cancel() }
  try cancelAll(sources, context)
}

private func graftAdoptsHome(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let trees = (0..<3).map { dispatcher.makeSerialQueue(label: "tree \($0)") }
  let sources = try trees.map { try silentSource(context, dispatcher, on: $0) }
  for source in sources { try source.activate() }
  let homes = sources.map { $0.registeredWorker ?? -1 }
  context.expect(Set(homes).count == 3, "3 trees on 3 workers have homes \(homes)")
  try context.move(trees[0], to: trees[1])
  context.expect(sources[0].registeredWorker == homes[1], "a grafted tree's source did not move to its new home")
  try context.move(trees[1], to: trees[2])
  for source in sources {
    context.expect(source.registeredWorker == homes[2], "a source of a grafted tree is not at its home")
  }
  context.record("grafts that adopted a home", 2)
  try cancelAll(sources, context)
}
