import NIOCore
import NIOPosix
import Support

// The task workloads on SwiftNIO: its event loops are the serial queues, of which there are two.

let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
let (first, second) = (group.next(), group.next())

func repost(_ chain: Chain, on loop: any EventLoop) {
  loop.execute { if chain.step() { repost(chain, on: loop) } }
}

func hop(_ chain: Chain, _ from: any EventLoop, _ to: any EventLoop) {
  to.execute { if chain.step() { hop(chain, to, from) } }
}

func foreign(producers: Int) -> Int {
  let counter = Counter()
  let operations = produce(producers) { count in
    for _ in 0..<count { first.execute { counter.add() } }
  }
  let gate = Gate()
  first.execute { gate.signal() }
  gate.wait()
  return operations
}

runNamedWorkload([
  "W1": { Chain.all { repost($0, on: group.next()) } },
  "W2": { Chain.all { repost($0, on: first) } },
  "W3.p1": { foreign(producers: 1) },
  "W3.p2": { foreign(producers: 2) },
  "W4.threads": { Chain.one(50_000) { hop($0, first, second) } },
])
