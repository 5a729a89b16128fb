import HawtDispatch

// L1, the part about a suspension from the one call on a queue that is no task of the user's.

/// The call that tells low water runs on the queue, between two tasks: a consumer may well hold the queue there, and what
/// comes after it has to wait as it would after a task that suspends.
func lowWaterSuspends(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  for kind in QueueKind.serial {
    for (maximum, lowWater) in [(2, 1), (2, 0), (20, 10)] {
      let told = context.recorder(of: String.self)
      let box = Shared<SerialQueue?>(nil)
      let limit = QueueLimit(maximum: maximum, lowWater: lowWater) {
        box.with { $0 }?.suspend()
        told.append("low water")
      }
      let queue = try dispatcher.makeSerialQueue(
        label: "bounded", target: kind.makeSerial(dispatcher, "below").target, limit: limit)
      box.with { $0 = queue }
      queue.suspend()
      for _ in 0..<maximum { queue.async { told.append("task") } }
      context.expect(!queue.async {}.isAccepted, "a queue of at most \(maximum) tasks took one more")
      queue.resume()
      try context.eventually("low water is told, by a call that suspends the queue (\(kind): \(told.all.count))") {
        told.all.contains("low water") && queue.state == .suspended(count: 1)
      }
      // Whoever let a task through would have had time to run it.
      for thread in dispatcher.threadQueues { try context.drain(thread) }
      context.pause(.milliseconds(2))
      let late = told.all.drop { $0 != "low water" }.count - 1
      context.expect(late == 0, "\(kind): \(late) tasks ran after the low-water call had suspended their queue")
      queue.resume()
      try context.eventually("all tasks run on resume") { told.all.count { $0 == "task" } == maximum }
      box.with { $0 = nil }
      context.record("suspensions from a low-water call")
    }
  }
}
