import CSupport
import Glibc
import HawtDispatch
import Support

/// W9: gives a pinned queue with one live source, or as many as `--sources` says, the other worker, to and fro. What is
/// measured is the call; how long it takes until the sources are at their new place is reported beside it.
func retarget() -> Int {
  let count = Int(number("sources", 1))
  let moves = max(200, 20_000 / count)
  let workers = dispatcher.threadQueues
  let events = (0..<count).map { _ in bench_quiet_socket() }
  let queue = dispatcher.makeSerialQueue(label: "moving")
  let gate = Gate()
  var inCalls: UInt64 = 0
  let began = bench_now()
  do {
    try queue.setTarget(workers[0])
    let sources = events.map { dispatcher.makeReadSource($0, target: queue) { _ in } }
    for source in sources { try source.activate() }
    for move in 1...moves {
      let called = bench_now()
      try queue.setTarget(workers[move % 2]) { _ in gate.signal() }
      inCalls += bench_now() - called
      gate.wait()
    }
    dispatcher.whenCancelled(sources, on: queue) { gate.signal() }
    for source in sources { source.cancel() }
    gate.wait()
  } catch { fatalError("moving a queue: \(error)") }
  report("call-us", Double(inCalls) / Double(moves) / 1000)
  report("effective-us", Double(bench_now() - began) / Double(moves) / 1000)
  for event in events { close(event) }
  return moves
}
