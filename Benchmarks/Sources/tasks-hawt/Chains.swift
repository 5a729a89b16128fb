import HawtDispatch
import Support

let global = dispatcher.global()
let serial = dispatcher.makeSerialQueue(label: "serial")

func repost(_ chain: Chain, on queue: GlobalQueue) {
  queue.async { if chain.step() { repost(chain, on: queue) } }
}

func repost(_ chain: Chain, on queue: SerialQueue) {
  queue.async { if chain.step() { repost(chain, on: queue) } }
}

/// A task that is made once and posts itself.
private final class ReusedChain: @unchecked Sendable {
  // Sound as Sendable: `item` is set before the first post.
  private(set) var item: WorkItem!

  init(_ chain: Chain, _ queue: SerialQueue) {
    item = WorkItem { [unowned self] in if chain.step() { queue.async(item) } }
  }
}

func reusedChains() -> Int {
  var chains: [ReusedChain] = []
  let operations = Chain.all { chain in
    chains.append(ReusedChain(chain, serial))
    serial.async(chains.last!.item)
  }
  settle(serial)
  return withExtendedLifetime(chains) { operations }
}

/// The last task may still be on its way out of its closure.
func settle(_ queues: SerialQueue...) {
  for queue in queues {
    let gate = Gate()
    queue.async { gate.signal() }
    gate.wait()
  }
}
