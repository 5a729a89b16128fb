import HawtDispatch

extension Rule {
  static let m1 = Rule(
    "M1", "tasks of a pinned queue run on that worker's thread only",
    why: "a pinned queue uses what belongs to its thread, without locks",
    whereToLook: [MigrationFiles.queue, "what may be stolen", "the lease's takeover of a stuck worker"],
    checks: [
      Check("pinned queues under load and idle peers", pinnedUnderLoad),
      Check("peers do not take a stuck worker's pinned work", notTakenFromStuck),
    ])
}

private func pinnedUnderLoad(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  var queues: [(queue: any Queue, worker: Int)] = []
  for thread in dispatcher.threadQueues {
    let outer = try dispatcher.makeSerialQueue(label: "outer", target: thread)
    let middle = try dispatcher.makeSerialQueue(label: "middle", target: outer)
    let inner = try dispatcher.makeSerialQueue(label: "inner", target: middle)
    for queue in [thread, outer, middle, inner] as [any Queue] { queues.append((queue, thread.worker)) }
    for queue in [outer, middle, inner] {
      context.expect(queue.pinnedWorker == thread.worker, "\(queue.label) is said to be pinned to another worker")
    }
  }
  let each = context.scaled(12_000, minimum: 300)
  let done = context.latch(3 * each * 2)
  try context.onThreads(3) { [queues] _, random in
    for number in 0..<each {
      let (queue, worker) = random.pick(queues)
      let check: @Sendable () -> Void = {
        context.expect(threads.current == worker, "a task pinned to worker \(worker) ran on another thread")
        done.signal()
      }
      // One task submits another, from its own thread: the local path.
      let both: @Sendable () -> Void = {
        check()
        queue.async(check)
      }
      if number % 50 == 0 { queue.asyncAfter(.microseconds(random.below(200)), both) } else { queue.async(both) }
    }
  }
  try done.wait(for: "pinned tasks")
  context.record("pinned tasks on their thread", 6 * each)
}

private func notTakenFromStuck(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  let thread = dispatcher.threadQueues[1]
  let queue = try dispatcher.makeSerialQueue(label: "pinned", target: thread)
  let nested = try dispatcher.makeSerialQueue(label: "nested", target: queue)
  let count = 300
  let done = context.latch(3 * count)
  let submit: @Sendable () -> Void = {
    for target in [queue, nested, thread] as [any Queue] {
      target.async {
        context.expect(threads.current == 1, "a task pinned to a stuck worker ran on another thread")
        done.signal()
      }
    }
  }
  // Half are submitted by the worker itself before it gets stuck, which leaves them where its peers might look.
  let gate = context.gate()
  thread.async {
    for _ in 0..<count / 2 { submit() }
    gate.pass()
  }
  try gate.waitForArrivals()
  for _ in 0..<count / 2 {
    submit()
    // What idle peers look for when they steal.
    dispatcher.global().async {}
  }
  // Long enough for an idle peer to have taken the lease and looked for work, several times.
  context.pause(.milliseconds(30))
  context.expect(done.count == 3 * count, "\(3 * count - done.count) pinned tasks ran while their worker was stuck")
  gate.open()
  try done.wait(for: "pinned tasks, now that their worker is free")
  context.record("pinned tasks that waited for their worker", 3 * count)
}
