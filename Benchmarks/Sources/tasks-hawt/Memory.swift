import CSupport
import Glibc
import HawtDispatch
import Support

private let count = 10_000

/// What idle queues, sources and timers hold each, and what of it is still held when they are gone, while the queue that
/// the sources and timers targeted lives on.
///
/// The first of two runs grows what the library keeps for later; the second tells.
func memoryOfIdle() -> Int {
  let event = bench_quiet_socket()
  let home = dispatcher.makeSerialQueue(label: "home")
  var idle = Idle()
  let before = allocatedBytes()
  // A leak shows as growth from run to run.
  report("start-bytes", Double(before))
  report("queue-bytes", grown { for _ in 0..<count { idle.queues.append(dispatcher.makeSerialQueue()) } })
  report("source-bytes", grown { for _ in 0..<count { idle.sources.append(makeSource(event, home)) } })
  report("timer-bytes", grown { for _ in 0..<count { idle.timers.append(home.asyncAfter(.seconds(1000)) {}) } })
  idle.end(on: home)
  report("left-bytes", Double(allocatedBytes() - before) / Double(count))
  close(event)
  return count
}

/// What is idle, with room for all before memory is measured.
private struct Idle {
  var queues: [SerialQueue] = []
  var sources: [ReadinessSource] = []
  var timers: [TimerHandle] = []

  init() {
    queues.reserveCapacity(count)
    sources.reserveCapacity(count)
    timers.reserveCapacity(count)
  }

  mutating func end(on home: SerialQueue) {
    let gate = Gate()
    for timer in timers { timer.cancel() }
    dispatcher.whenCancelled(sources, on: home) { gate.signal() }
    for source in sources { source.cancel() }
    gate.wait()
    timers.removeAll(keepingCapacity: true)
    sources.removeAll(keepingCapacity: true)
    queues.removeAll(keepingCapacity: true)
    settle(home)
  }
}

private func makeSource(_ descriptor: CInt, _ queue: SerialQueue) -> ReadinessSource {
  let source = dispatcher.makeReadSource(descriptor, target: queue) { _ in }
  do { try source.activate() } catch { fatalError("activating a source: \(error)") }
  return source
}

/// The bytes for each of `count` things that `body` makes.
private func grown(_ body: () -> Void) -> Double {
  let before = allocatedBytes()
  body()
  return Double(allocatedBytes() - before) / Double(count)
}
