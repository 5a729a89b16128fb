import HawtDispatch
import Support

let pooled = (dispatcher.makeSerialQueue(label: "a"), dispatcher.makeSerialQueue(label: "b"))
let pinned = (pinnedQueue(0), pinnedQueue(1))

private func pinnedQueue(_ worker: Int) -> SerialQueue {
  // A thread queue of the same dispatcher is never refused.
  try! dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[worker])
}

func hop(_ chain: Chain, _ from: SerialQueue, _ to: SerialQueue) {
  to.async { if chain.step() { hop(chain, to, from) } }
}

/// Two tasks that are made once and post each other.
private final class Players: @unchecked Sendable {
  // Sound as Sendable: the items are set before the first post.
  private(set) var first: WorkItem!
  private(set) var second: WorkItem!

  init(_ chain: Chain, _ a: SerialQueue, _ b: SerialQueue) {
    first = WorkItem { [unowned self] in if chain.step() { b.async(second) } }
    second = WorkItem { [unowned self] in if chain.step() { a.async(first) } }
  }
}

func hopReused(_ hops: Int, _ a: SerialQueue, _ b: SerialQueue) -> Int {
  var players: Players?
  let operations = Chain.one(hops) { chain in
    players = Players(chain, a, b)
    a.async(players!.first)
  }
  settle(a, b)
  return withExtendedLifetime(players) { operations }
}
