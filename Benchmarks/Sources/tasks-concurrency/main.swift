import Support

// The task workloads on Swift's own concurrency: tasks are unstructured ones, actors are the serial queues. The pool has
// as many threads as the machine has CPUs.

actor Player {
  func step(_ chain: Chain) -> Bool { chain.step() }
  func add(_ counter: Counter) { counter.add() }
  /// Calls a peer and is called back by its return: two hops each time. The peer must do something there, or the
  /// compiler leaves the hops out.
  func play(_ chain: Chain, with peer: Player) async {
    while await peer.step(chain) {}
  }
}

let (first, second) = (Player(), Player())

func repost(_ chain: Chain) {
  Task { if chain.step() { repost(chain) } }
}

func repost(_ chain: Chain, on player: Player) {
  Task { if await player.step(chain) { repost(chain, on: player) } }
}

func foreign(producers: Int) -> Int {
  let counter = Counter()
  let gate = Gate()
  let operations = produce(producers) { count in
    for index in 0..<count {
      Task {
        await first.add(counter)
        // The actor serves tasks in about the order of their coming, but the last one alone would prove nothing.
        if index % 1000 == 999 { gate.signal() }
      }
    }
  }
  gate.wait(operations / 1000)
  return operations
}

func hop() -> Int {
  2 * Chain.one(100_000) { chain in Task { await first.play(chain, with: second) } }
}

/// Work that the compiler cannot leave out.
let endless = Chain(Int.max, Gate())

func manyActors() -> Int {
  let players = (0..<10_000).map { _ in Player() }
  let gate = Gate()
  let length = Chain.length / 10
  for _ in 1..<length { for player in players { Task { await player.step(endless) } } }
  for player in players {
    Task {
      _ = await player.step(endless)
      gate.signal()
    }
  }
  gate.wait(players.count)
  return players.count * length
}

runNamedWorkload([
  "W1": { Chain.all { repost($0) } },
  "W2": { Chain.all { repost($0, on: first) } },
  "W3.p1": { foreign(producers: 1) },
  "W3.p2": { foreign(producers: 2) },
  "W4.pooled": hop,
  "W5": manyActors,
])
