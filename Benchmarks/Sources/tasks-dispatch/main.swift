import Dispatch
import Support

// The task workloads on libdispatch. Serial queues target a global queue, which its own documentation advises; with
// `--default 1` they have the default target instead.

let usesDefault = option("default", "0") == "1"

func makeQueue(_ label: String) -> DispatchQueue {
  usesDefault ? DispatchQueue(label: label) : DispatchQueue(label: label, target: .global())
}

let serial = makeQueue("serial")
let (first, second) = (makeQueue("first"), makeQueue("second"))

func repost(_ chain: Chain, on queue: DispatchQueue) {
  queue.async { if chain.step() { repost(chain, on: queue) } }
}

func hop(_ chain: Chain, _ from: DispatchQueue, _ to: DispatchQueue) {
  to.async { if chain.step() { hop(chain, to, from) } }
}

func foreign(producers: Int) -> Int {
  let counter = Counter()
  let operations = produce(producers) { count in
    for _ in 0..<count { serial.async { counter.add() } }
  }
  serial.sync {}
  return operations
}

runNamedWorkload([
  "W1": { Chain.all { repost($0, on: .global()) } },
  "W2": { Chain.all { repost($0, on: serial) } },
  "W3.p1": { foreign(producers: 1) },
  "W3.p2": { foreign(producers: 2) },
  "W4.pooled": { Chain.one(200_000) { hop($0, first, second) } },
  "W5": manyQueues,
  "idle": idleQueues,
  "priority": latencyOfLowPriority,
])
