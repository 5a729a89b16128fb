import Dispatch
import Support

private let queues = (0..<10_000).map { _ in makeQueue("many") }

/// W5: 10,000 serial queues × 100 tasks.
func manyQueues() -> Int {
  let gate = Gate()
  for _ in 0..<99 { for queue in queues { queue.async {} } }
  for queue in queues { queue.async { gate.signal() } }
  gate.wait(queues.count)
  return queues.count * 100
}

/// What an idle serial queue holds, one that has run a task and one that never did.
func idleQueues() -> Int {
  let before = allocatedBytes()
  var queues: [DispatchQueue] = []
  queues.reserveCapacity(10_000)
  let room = allocatedBytes() - before
  for _ in 0..<10_000 { queues.append(makeQueue("idle")) }
  report("new-bytes", Double(allocatedBytes() - before - room) / Double(queues.count))
  let gate = Gate()
  for queue in queues { queue.async { gate.signal() } }
  gate.wait(queues.count)
  report("idle-bytes", Double(allocatedBytes() - before - room) / Double(queues.count))
  return withExtendedLifetime(queues) { queues.count }
}
