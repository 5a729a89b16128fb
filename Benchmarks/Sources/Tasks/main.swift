import Dispatch
import Glibc
import HawtDispatch
import Synchronization

let only = CommandLine.arguments.dropFirst().first
func wants(_ name: String) -> Bool { only == nil || only == name }
let dispatcher = try Dispatcher(configuration: .init(name: "bench", workers: 2))

/// A task that posts itself again until a count is used up: a fresh closure each time.
final class Chain: Sendable {
  let left: Atomic<Int>
  let gate: Gate
  init(_ count: Int, _ gate: Gate) {
    left = Atomic(count)
    self.gate = gate
  }
  /// Whether to post again.
  func step() -> Bool {
    if left.wrappingSubtract(1, ordering: .relaxed).newValue > 0 { return true }
    gate.signal()
    return false
  }
}

func repost(_ chain: Chain, on queue: GlobalQueue) { queue.async { if chain.step() { repost(chain, on: queue) } } }
func repost(_ chain: Chain, on queue: SerialQueue) { queue.async { if chain.step() { repost(chain, on: queue) } } }
func repost(_ chain: Chain, on queue: DispatchQueue) { queue.async { if chain.step() { repost(chain, on: queue) } } }

final class ReusedChain: @unchecked Sendable {
  // Sound as Sendable: `item` is set before the first post.
  let left: Atomic<Int>
  let queue: SerialQueue
  var item: WorkItem!
  init(_ count: Int, _ gate: Gate, _ queue: SerialQueue) {
    left = Atomic(count)
    self.queue = queue
    item = WorkItem { [unowned self] in
      if self.left.wrappingSubtract(1, ordering: .relaxed).newValue > 0 {
        self.queue.async(self.item)
      } else {
        gate.signal()
      }
    }
  }
}

if wants("W1") {
  func chains(_ start: (Chain) -> Void) -> Int {
    let gate = Gate()
    for _ in 0..<1000 { start(Chain(1000, gate)) }
    gate.wait(1000)
    return 1_000_000
  }
  let global = dispatcher.global()
  compare(
    "W1", rounds: 5,
    [
      Subject(name: "hawt") { chains { repost($0, on: global) } },
      Subject(name: "libdispatch") { chains { repost($0, on: DispatchQueue.global()) } },
    ])
}

if wants("W2") {
  func chains(_ start: (Chain) -> Void) -> Int {
    let gate = Gate()
    for _ in 0..<1000 { start(Chain(1000, gate)) }
    gate.wait(1000)
    return 1_000_000
  }
  let serial = dispatcher.makeSerialQueue(label: "W2")
  let peer = DispatchQueue(label: "W2", target: .global())
  compare(
    "W2", rounds: 5,
    [
      Subject(name: "hawt fresh") { chains { repost($0, on: serial) } },
      Subject(name: "hawt reused") {
        let gate = Gate()
        let chains = (0..<1000).map { _ in ReusedChain(1000, gate, serial) }
        for chain in chains { serial.async(chain.item) }
        gate.wait(1000)
        // The last task may still be on its way out of its closure.
        try! serial.sync {}
        withExtendedLifetime(chains) {}
        return 1_000_000
      },
      Subject(name: "libdispatch") { chains { repost($0, on: peer) } },
    ])
}

if wants("W3") {
  for producers in [1, 2] {
    let each = 1_000_000 / producers
    func produce(_ body: @escaping @Sendable (Int) -> Void) {
      if producers == 1 { return body(each) }
      DispatchQueue.concurrentPerform(iterations: producers) { _ in body(each) }
    }
    let serial = dispatcher.makeSerialQueue(label: "W3")
    let peer = DispatchQueue(label: "W3", target: .global())
    final class Counter: Sendable { let value = Atomic<Int>(0) }
    let counter = Counter()
    let item = WorkItem { counter.value.wrappingAdd(1, ordering: .relaxed) }
    compare(
      "W3.\(producers)", rounds: 5,
      [
        Subject(name: "hawt fresh") {
          produce { count in for _ in 0..<count { serial.async { counter.value.wrappingAdd(1, ordering: .relaxed) } } }
          try! serial.sync {}
          return each * producers
        },
        Subject(name: "hawt reused") {
          produce { count in for _ in 0..<count { serial.async(item) } }
          try! serial.sync {}
          return each * producers
        },
        Subject(name: "libdispatch") {
          produce { count in for _ in 0..<count { peer.async { counter.value.wrappingAdd(1, ordering: .relaxed) } } }
          peer.sync {}
          return each * producers
        },
      ])
  }
}

if wants("W4") {
  let (a, b) = (dispatcher.makeSerialQueue(label: "a"), dispatcher.makeSerialQueue(label: "b"))
  let (c, d) = (DispatchQueue(label: "c", target: .global()), DispatchQueue(label: "d", target: .global()))
  @Sendable func hop(_ chain: Chain, _ from: SerialQueue, _ to: SerialQueue) {
    to.async { if chain.step() { hop(chain, to, from) } }
  }
  @Sendable func peerHop(_ chain: Chain, _ from: DispatchQueue, _ to: DispatchQueue) {
    to.async { if chain.step() { peerHop(chain, to, from) } }
  }
  final class Pair: @unchecked Sendable {
    // Sound as Sendable: the items are set before the first post.
    var items: [WorkItem] = []
  }
  compare(
    "W4.pooled", rounds: 5,
    [
      Subject(name: "hawt fresh") {
        let gate = Gate()
        hop(Chain(200_000, gate), a, b)
        gate.wait()
        return 200_000
      },
      Subject(name: "hawt reused") {
        let gate = Gate()
        let chain = Chain(200_000, gate)
        let pair = Pair()
        pair.items = [
          WorkItem { [unowned pair] in if chain.step() { b.async(pair.items[1]) } },
          WorkItem { [unowned pair] in if chain.step() { a.async(pair.items[0]) } },
        ]
        a.async(pair.items[0])
        gate.wait()
        try! a.sync {}
        try! b.sync {}
        return 200_000
      },
      Subject(name: "libdispatch") {
        let gate = Gate()
        peerHop(Chain(200_000, gate), c, d)
        gate.wait()
        return 200_000
      },
    ])
  let (e, f) = (
    try dispatcher.makeSerialQueue(label: "e", target: dispatcher.threadQueues[0]),
    try dispatcher.makeSerialQueue(label: "f", target: dispatcher.threadQueues[1])
  )
  compare(
    "W4.threads", rounds: 5,
    [
      Subject(name: "hawt") {
        let gate = Gate()
        hop(Chain(50_000, gate), e, f)
        gate.wait()
        return 50_000
      }
    ])
}

if wants("W5") {
  let queues = (0..<10_000).map { dispatcher.makeSerialQueue(label: "\($0)") }
  let peers = (0..<10_000).map { DispatchQueue(label: "\($0)", target: .global()) }
  compare(
    "W5", rounds: 3,
    [
      Subject(name: "hawt") {
        let gate = Gate()
        for _ in 0..<100 { for queue in queues { queue.async {} } }
        for queue in queues { queue.async { gate.signal() } }
        gate.wait(queues.count)
        return 1_000_000
      },
      Subject(name: "libdispatch") {
        let gate = Gate()
        for _ in 0..<100 { for queue in peers { queue.async {} } }
        for queue in peers { queue.async { gate.signal() } }
        gate.wait(queues.count)
        return 1_000_000
      },
    ])
}
