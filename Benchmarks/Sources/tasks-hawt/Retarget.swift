import CSupport
import Glibc
import HawtDispatch
import Support

/// W9: gives a pinned queue with one live source the other worker, to and fro. What is measured is the call; how long it
/// takes until the source is at its new place is reported beside it.
func retarget() -> Int {
  let moves = 20_000
  let workers = dispatcher.threadQueues
  var ends: [CInt] = [0, 0]
  precondition(pipe(&ends) == 0, "no pipe for a source to watch")
  let queue = dispatcher.makeSerialQueue(label: "moving")
  let gate = Gate()
  var inCalls: UInt64 = 0
  let began = bench_now()
  do {
    try queue.setTarget(workers[0])
    let source = dispatcher.makeReadSource(ends[0], target: queue) { _ in }
    try source.activate()
    for move in 1...moves {
      let called = bench_now()
      try queue.setTarget(workers[move % 2]) { _ in gate.signal() }
      inCalls += bench_now() - called
      gate.wait()
    }
    source.setCancelHandler { gate.signal() }
    source.cancel()
    gate.wait()
  } catch { fatalError("moving a queue: \(error)") }
  report("call-us", Double(inCalls) / Double(moves) / 1000)
  report("effective-us", Double(bench_now() - began) / Double(moves) / 1000)
  for end in ends { close(end) }
  return moves
}
