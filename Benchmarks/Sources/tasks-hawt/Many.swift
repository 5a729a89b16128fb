import HawtDispatch
import Support

private let count = Int(number("queues", 10_000))
private let queues = (0..<count).map { _ in dispatcher.makeSerialQueue(label: "many") }

/// W5: a million tasks on 10,000 serial queues, or on as many as `--queues` says.
func manyQueues() -> Int {
  let gate = Gate()
  let each = 1_000_000 / count
  for _ in 1..<each { for queue in queues { queue.async {} } }
  for queue in queues { queue.async { gate.signal() } }
  gate.wait(queues.count)
  return count * each
}

/// What an idle serial queue holds, one that has run a task and one that never did.
func idleQueues() -> Int {
  let before = allocatedBytes()
  var queues: [SerialQueue] = []
  queues.reserveCapacity(10_000)
  let room = allocatedBytes() - before
  for _ in 0..<10_000 { queues.append(dispatcher.makeSerialQueue(label: "idle")) }
  report("new-bytes", Double(allocatedBytes() - before - room) / Double(queues.count))
  let gate = Gate()
  for queue in queues { queue.async { gate.signal() } }
  gate.wait(queues.count)
  report("idle-bytes", Double(allocatedBytes() - before - room) / Double(queues.count))
  return withExtendedLifetime(queues) { queues.count }
}
