import CSupport
import Glibc
import HawtDispatch
import Support

// W9: gives a pinned queue and its sources the other worker, to and fro. What is measured is the call, its median, since a
// caller that competes with two workers for two CPUs loses its own now and then; how long it takes until the sources are at
// their new place, on average, is reported beside it.

/// A live queue: its source has an event at all times, so that the worker which it is to leave is at work.
func retargetLive() -> Int {
  var peer: CInt = -1
  let socket = bench_ready_socket(&peer)
  let far = peer
  defer {
    close(socket)
    close(peer)
  }
  return retarget([socket], moves: 20_000) { _ in
    var byte: UInt8 = 0
    guard read(socket, &byte, 1) == 1, write(far, &byte, 1) == 1 else { bench_fail("passing a byte on") }
  }
}

/// One source, or as many as `--sources` says, which never have an event: both workers are asleep and are to be woken.
func retargetAsleep() -> Int {
  let count = Int(number("sources", 1))
  let sockets = (0..<count).map { _ in bench_quiet_socket() }
  defer { for socket in sockets { close(socket) } }
  return retarget(sockets, moves: max(200, 20_000 / count)) { _ in }
}

private func retarget(
  _ sockets: [CInt], moves: Int, _ handler: @escaping @Sendable (ReadinessEvent) -> Void
) -> Int {
  let workers = dispatcher.threadQueues
  let queue = dispatcher.makeSerialQueue(label: "moving")
  let gate = Gate()
  let calls = Latencies()
  let began = bench_now()
  do {
    try queue.setTarget(workers[0])
    let sources = sockets.map { dispatcher.makeReadSource($0, target: queue, handler: handler) }
    for source in sources { try source.activate() }
    for move in 1...moves {
      let called = bench_now()
      try queue.setTarget(workers[move % 2]) { _ in gate.signal() }
      calls.note(bench_now() - called)
      gate.wait()
    }
    dispatcher.whenCancelled(sources, on: queue) { gate.signal() }
    for source in sources { source.cancel() }
    gate.wait()
  } catch { fatalError("moving a queue: \(error)") }
  report("call-us", calls.median)
  report("effective-us", Double(bench_now() - began) / Double(moves) / 1000)
  return moves
}
