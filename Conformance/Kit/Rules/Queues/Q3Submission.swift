import Glibc
import HawtDispatch

extension Rule {
  static let q3 = Rule(
    "Q3", "submission is always asynchronous: never inline, never blocked by user code, constant stack",
    why: "a caller holds locks, and its stack is finite",
    whereToLook: [QueueFiles.serial, QueueFiles.thread, QueueFiles.global, "the worker's round"],
    checks: [
      Check("a task never runs within the call that submits it", neverInline),
      Check("submission returns while every worker is stuck", neverBlocked),
      Check("a million submissions from within submissions", constantStack),
    ])
}

/// Every kind of queue submits to every kind; a flag of the thread says whether a call of `async` is on its stack.
private func neverInline(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  var queues: [any Queue] = [dispatcher.global(.high), dispatcher.global(.low), dispatcher.threadQueues[1]]
  for kind in QueueKind.allCases { queues.append(try kind.make(dispatcher, kind.rawValue)) }
  let submitting = Shared<Set<UInt>>([])
  let done = context.latch(queues.count * queues.count * 4 + queues.count * 2)
  /// Submits in each way there is, and watches.
  @Sendable func submit(to queue: any Queue, _ ways: Int) {
    let item = WorkItem { check() }
    submitting.with { _ = $0.insert(Process.currentThread) }
    queue.async { check() }
    queue.async(item)
    if ways > 2 {
      queue.asyncAfter(.zero) { check() }
      queue.asyncAfter(.seconds(-1), clock: .suspending, leeway: .zero) { check() }
    }
    submitting.with { _ = $0.remove(Process.currentThread) }
  }
  @Sendable func check() {
    let isInline = submitting.with { $0.contains(Process.currentThread) }
    context.expect(!isInline, "a task ran within the call that submitted it")
    done.signal()
  }
  for target in queues {
    submit(to: target, 2)
    for from in queues { from.async { submit(to: target, 4) } }
  }
  try done.wait(for: "tasks from each kind of queue to each")
  context.record("submissions that returned before their task began", queues.count * queues.count * 4)
}

private func neverBlocked(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let suspended = dispatcher.makeSerialQueue(label: "suspended")
  suspended.suspend()
  var queues: [any Queue] = [dispatcher.global(), suspended] + dispatcher.threadQueues
  for kind in QueueKind.allCases { queues.append(try kind.make(dispatcher, kind.rawValue)) }
  let gates = try dispatcher.threadQueues.map { try context.hold($0) }
  // Submitters queue up behind each other and behind stuck workers; the calls must all come back.
  let each = context.scaled(2_000, minimum: 100)
  let done = context.latch(3 * each * queues.count)
  let returned = context.latch(3)
  try context.onThreads(3) { [queues] _, _ in
    for _ in 0..<each { for queue in queues { queue.async { done.signal() } } }
    returned.signal()
  }
  try returned.wait(for: "submissions to return while all workers are stuck")
  context.expect(done.count == 3 * each * queues.count, "a task ran although every worker is held")
  context.record("submissions while all workers were stuck", 3 * each * queues.count)
  for gate in gates { gate.open() }
  suspended.resume()
  try done.wait(for: "those tasks, now that workers are free")
}

/// Watches how far the stack reaches down, per thread.
private final class StackWatch: Sendable {
  private let extent = Shared<[UInt: (low: UInt, high: UInt)]>([:])

  /// Takes the caller's address; to be called in each of many tasks, cheaply.
  @inline(never) func note() {
    var here = 0
    let address = withUnsafeMutablePointer(to: &here) { UInt(bitPattern: $0) }
    extent.with {
      let old = $0[Process.currentThread] ?? (address, address)
      $0[Process.currentThread] = (min(old.low, address), max(old.high, address))
    }
  }

  var widest: UInt { extent.with { $0.values.map { $0.high - $0.low }.max() ?? 0 } }
}

private func constantStack(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let total = context.scaled(1_000_000, minimum: 20_000)
  let parent = dispatcher.makeSerialQueue(label: "parent")
  let child = try dispatcher.makeSerialQueue(label: "child", target: parent)
  let routes: [(name: String, queues: [any Queue])] = [
    ("one serial queue", [dispatcher.makeSerialQueue()]),
    ("two serial queues", [dispatcher.makeSerialQueue(), dispatcher.makeSerialQueue()]),
    ("a thread queue", [dispatcher.threadQueues[0]]),
    ("a global queue", [dispatcher.global()]),
    ("a queue and one nested in it", [parent, child]),
  ]
  for route in routes {
    let watch = StackWatch()
    let ended = context.latch()
    let queues = route.queues
    // One route is walked in full, the others far enough to run out of any stack.
    let count = route.queues.count == 1 ? total : total / 5
    @Sendable func step(_ left: Int) {
      if left % 64 == 0 { watch.note() }
      guard left > 0 else { return ended.signal() }
      queues[left % queues.count].async { step(left - 1) }
    }
    step(count)
    try ended.wait(for: "\(count) nested submissions over \(route.name)")
    context.expect(
      watch.widest < 64 << 10, "\(route.name): the stack grew to \(watch.widest) bytes over \(count) submissions")
    context.record("nested submissions", count)
  }
}
