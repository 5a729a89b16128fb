import HawtDispatch

extension Rule {
  static let m1 = Rule(
    "M1", "tasks of a pinned queue run on that worker's thread only",
    why: "a pinned queue uses what belongs to its thread, without locks",
    whereToLook: [MigrationFiles.queue, "what may be stolen", "the lease's takeover of a stuck worker"],
    checks: [
      Check("pinned queues under load and idle peers", pinnedUnderLoad),
      Check("peers do not take a stuck worker's pinned work", notTakenFromStuck),
      Check("nor what a task submitted to its own thread's queues before it got stuck", ownSubmissionsAreNotTaken),
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

/// A task submits to queues that are pinned to its own worker and gets stuck: idle peers take what any worker may run, and
/// nothing else.
private func ownSubmissionsAreNotTaken(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 3)
  let threads = try WorkerThreads(dispatcher, context)
  let thread = dispatcher.threadQueues[1]
  let count = 20
  let queues = try (0..<count).map { try dispatcher.makeSerialQueue(label: "pinned \($0)", target: thread) }
  let gate = context.gate()
  let (done, free) = (context.latch(2 * count), context.latch(count))
  thread.async {
    for queue in queues + [thread] as [any Queue] {
      let isPinned = queue is SerialQueue
      for _ in 0..<(isPinned ? 1 : count) {
        queue.async {
          context.expect(threads.current == 1, "a pinned task that a stuck task had submitted ran on another thread")
          done.signal()
        }
      }
    }
    for _ in 0..<count { dispatcher.global().async { free.signal() } }
    gate.pass()
  }
  try gate.waitForArrivals()
  try free.wait(for: "what a stuck task had submitted to the global queue")
  context.pause(.milliseconds(10))
  context.expect(done.count == 2 * count, "\(2 * count - done.count) pinned tasks ran while their worker was stuck")
  gate.open()
  try done.wait(for: "pinned tasks, now that their worker is free")
  context.record("pinned tasks that a stuck task had submitted", 2 * count)
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
