import Glibc
import HawtDispatch

extension Rule {
  static let q7 = Rule(
    "Q7", "the current queue is the innermost frame; isExecuting holds for each enclosing one",
    why: "code asserts where it runs instead of locking; a wrong answer is a data race",
    whereToLook: ["the worker's queue frames", "assertExecuting of each queue"],
    capabilities: [.processFiles],
    checks: [
      Check("inside nested, pinned, global and thread queues", insideEachQueue),
      Check("frames are restored when a nested queue's task ends", framesAreRestored),
      Check("defined in timers, sources and completions", insideTimersAndSources),
      Check("foreign threads have no current queue", onForeignThreads),
      Check("the assertion names both queues") { context in
        try context.expectTrap(in: "assert elsewhere", naming: ["asserted queue", "running queue"])
        try context.expectTrap(in: "assert on a foreign thread", naming: ["asserted queue"])
        try context.expectTrap(in: "assert not", naming: ["asserted queue"])
        try context.expectTrap(in: "assert not, enclosing", naming: ["asserted queue"])
      },
      Check("the assertion allocates nothing", assertionAllocatesNothing),
    ],
    scenarios: [
      Scenario("assert elsewhere") { context in
        let dispatcher = try context.makeDispatcher()
        let asserted = dispatcher.makeSerialQueue(label: "asserted queue")
        try context.drain(inTask: dispatcher.makeSerialQueue(label: "running queue")) { asserted.assertExecuting() }
      },
      Scenario("assert on a foreign thread") { context in
        try context.makeDispatcher().makeSerialQueue(label: "asserted queue").assertExecuting()
      },
      Scenario("assert not") { context in
        let asserted = try context.makeDispatcher().makeSerialQueue(label: "asserted queue")
        try context.drain(inTask: asserted) { asserted.assertNotExecuting() }
      },
      Scenario("assert not, enclosing") { context in
        let dispatcher = try context.makeDispatcher()
        let asserted = dispatcher.makeSerialQueue(label: "asserted queue")
        let inner = try dispatcher.makeSerialQueue(label: "inner", target: asserted)
        try context.drain(inTask: inner) { asserted.assertNotExecuting() }
      },
      Scenario("many assertions", manyAssertions),
    ])
}

extension CheckContext {
  /// Runs `body` as a task and waits for its end.
  func drain(inTask queue: any Queue, _ body: @escaping @Sendable () -> Void) throws {
    let done = latch()
    queue.async {
      body()
      done.signal()
    }
    try done.wait(for: "a task on '\(queue.label)'")
  }

  /// Fails unless `queue` is the current one, and executing exactly if among `frames`.
  func expectCurrent(_ label: String, frames: [any Queue], others: [any Queue], _ place: String) {
    let current = Dispatcher.currentQueue?.label ?? "none"
    expect(current == label, "\(place): the current queue is '\(current)' instead of '\(label)'")
    for frame in frames {
      expect(frame.isExecuting, "\(place): '\(frame.label)' encloses this task and says it is not executing")
      frame.assertExecuting()
    }
    for other in others {
      expect(!other.isExecuting, "\(place): '\(other.label)' says it is executing, and is not")
      other.assertNotExecuting()
    }
    record("places with the right current queue")
  }
}

private func insideEachQueue(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let other = dispatcher.makeSerialQueue(label: "other")
  let roots: [any Queue] = [dispatcher.global(.high), dispatcher.global(), dispatcher.global(.low)]
  for root in roots + (dispatcher.threadQueues as [any Queue]) {
    let outer = try dispatcher.makeSerialQueue(label: "outer", target: root)
    let middle = try dispatcher.makeSerialQueue(label: "middle", target: outer)
    let inner = try dispatcher.makeSerialQueue(label: "inner", target: middle)
    let chain: [any Queue] = [root, outer, middle, inner]
    for (depth, queue) in chain.enumerated() {
      try context.drain(inTask: queue) {
        let enclosed = Array(chain[(depth + 1)...])
        context.expectCurrent(
          queue.label, frames: Array(chain[...depth]), others: enclosed + [other], "a task of '\(queue.label)'")
        let thread = Dispatcher.currentThreadQueue
        context.expect(thread != nil, "a task of '\(queue.label)' has no current thread queue")
        if let pinned = root as? ThreadQueue {
          context.expect(thread?.worker == pinned.worker, "a pinned task's current thread queue is another's")
        }
      }
    }
  }
}

private func framesAreRestored(_ context: CheckContext) throws {
  for pinned in [false, true] {
    let dispatcher = try context.makeDispatcher(workers: 1)
    let root: any Queue = pinned ? dispatcher.threadQueues[0] : dispatcher.global()
    let parent = try dispatcher.makeSerialQueue(label: "parent", target: root)
    let children = try (0..<3).map { try dispatcher.makeSerialQueue(label: "child \($0)", target: parent) }
    let queues: [SerialQueue] = [parent] + children
    let count = context.scaled(500, minimum: 60)
    let done = context.latch(count)
    var random = context.random()
    let gate = try context.hold(dispatcher.threadQueues[0])
    for _ in 0..<count {
      let queue = random.pick(queues)
      let frames: [any Queue] = queue.label == "parent" ? [parent] : [parent, queue]
      let others: [any Queue] = children.filter { $0.label != queue.label }
      queue.async {
        context.expectCurrent(queue.label, frames: frames, others: others, "a task among siblings")
        done.signal()
      }
    }
    gate.open()
    try done.wait(for: "tasks of a parent and its children")
    try context.drain(inTask: dispatcher.threadQueues[0]) {
      context.expectCurrent(
        dispatcher.threadQueues[0].label, frames: [dispatcher.threadQueues[0]], others: queues, "after all of them")
    }
  }
}

private func insideTimersAndSources(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 2)
  let parent = dispatcher.makeSerialQueue(label: "parent")
  let queue = try dispatcher.makeSerialQueue(label: "target", target: parent)
  let other = dispatcher.makeSerialQueue(label: "other")
  let done = context.latch(8)
  @Sendable func look(_ place: String) {
    context.expectCurrent("target", frames: [queue, parent], others: [other], place)
    done.signal()
  }
  queue.asyncAfter(.microseconds(100)) { look("a one-shot timer") }
  let timer = dispatcher.makeTimerSource(target: queue) { _ in look("a timer source") }
  timer.setCancelHandler { look("a timer source's cancel handler") }
  timer.schedule(after: .microseconds(100))
  try timer.activate()
  let pipe = try context.makePipe()
  let source = dispatcher.makeReadSource(pipe.readEnd, target: queue) { _ in
    _ = pipe.drain()
    look("a readiness source")
  }
  source.setCancelHandler { look("a readiness source's cancel handler") }
  try source.activate()
  pipe.write()
  let merging = dispatcher.makeMergingSource(.sum, target: queue) { (_: Int) in look("a merging source") }
  merging.setCancelHandler { _ in look("a merging source's cancel handler") }
  try merging.activate()
  merging.merge(1)
  try context.eventually("the first five have run") { done.count <= 4 }
  timer.cancel()
  source.cancel()
  merging.cancel()
  try context.eventually("cancel handlers have run") { done.count <= 1 }
  try queue.setTarget(dispatcher.threadQueues[1]) { _ in
    context.expect(Dispatcher.currentQueue != nil, "the completion of a retarget has no current queue")
    context.expect(Dispatcher.currentThreadQueue?.worker == 1, "the completion ran on another thread")
    done.signal()
  }
  try done.wait(for: "the completion of a retarget")
}

private func onForeignThreads(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher()
  let queue = dispatcher.makeSerialQueue(label: "foreign")
  let key = QueueKey<Int>()
  queue.setSpecific(key, 5)
  for _ in 0..<2 {
    context.expect(Dispatcher.currentQueue == nil, "a foreign thread has a current queue")
    context.expect(Dispatcher.currentThreadQueue == nil, "a foreign thread has a thread queue")
    context.expect(Dispatcher.currentSpecific(key) == nil, "a foreign thread sees a queue's value")
    context.expect(!queue.isExecuting, "a queue is executing a foreign thread's code")
    // The second time round, a synchronous call must have left nothing behind on this thread.
    let seen = try queue.sync { (Dispatcher.currentQueue?.label, Dispatcher.currentSpecific(key), queue.isExecuting) }
    context.expect(seen == ("foreign", 5, true), "within sync, the current queue, its value and state were \(seen)")
  }
  context.record("looks from a foreign thread", 2)
}

private let allocationTracer = "libc_malloc_debug.so.0"
private let plantedSizes = [4_711, 4_712]

/// glibc's own tracer writes a line for each allocation from a call on, whoever makes it.
private func assertionAllocatesNothing(_ context: CheckContext) throws {
  guard !Process.isThreadSanitized && !Process.isAddressSanitized else {
    // A sanitizer's allocator knows no tracer; the other builds look.
    return context.record("left to builds without a sanitizer")
  }
  let path = "/tmp/hawt-conformance-\(getpid())-\(context.seed).trace"
  defer { unlink(path) }
  try context.expectSuccess(
    of: "many assertions",
    environment: ["LD_PRELOAD": allocationTracer, "MALLOC_TRACE": path])
  let lines = (Process.text(of: path, limit: 1 << 20) ?? "").split(separator: "\n")
  context.expect(!lines.isEmpty, "the allocation tracer wrote nothing")
  // Two that were planted show that the tracer sees, and stand around the assertions.
  let sizes = plantedSizes.map { "0x" + String($0, radix: 16) }
  guard let first = lines.firstIndex(where: { $0.contains(" + ") && $0.hasSuffix(sizes[0]) }),
    let last = lines.lastIndex(where: { $0.contains(" + ") && $0.hasSuffix(sizes[1]) }), first < last
  else { return context.fail("the tracer missed an allocation that was made on purpose") }
  let allocations = lines[(first + 1)..<last].count { $0.contains(" + ") }
  // What other threads do meanwhile may add a few.
  context.expect(allocations < 100, "10,000 assertions made \(allocations) allocations")
}

private func manyAssertions(_ context: CheckContext) throws {
  typealias Trace = @convention(c) @Sendable () -> Void
  typealias Lookup =
    @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>, UnsafePointer<CChar>) ->
    UnsafeMutableRawPointer?
  // The tracer's functions are hidden versions in the library that was preloaded; those of libc itself do nothing. It is
  // never switched off: that closes the trace under the feet of other threads that are about to write to it.
  guard let library = dlopen(allocationTracer, RTLD_NOW | RTLD_NOLOAD), let found = dlsym(nil, "dlvsym"),
    let first = unsafeBitCast(found, to: Lookup.self)(library, "mtrace", "GLIBC_2.2.5")
  else { throw CheckFailure("glibc's allocation tracer is missing") }
  let begin = unsafeBitCast(first, to: Trace.self)
  let dispatcher = try context.makeDispatcher()
  let parent = dispatcher.makeSerialQueue(label: "asserted queue")
  let child = try dispatcher.makeSerialQueue(label: "running queue", target: parent)
  let other = dispatcher.makeSerialQueue(label: "other")
  let planted = Tally()
  try context.drain(inTask: child) {
    begin()
    plant(plantedSizes[0], planted)
    for _ in 0..<10_000 {
      child.assertExecuting()
      parent.assertExecuting()
      other.assertNotExecuting()
    }
    plant(plantedSizes[1], planted)
    fflush(nil)
  }
  context.record("assertions under the allocation tracer", 30_000)
}

/// An allocation that is handed to the outside, or the compiler would take it out.
private func plant(_ size: Int, _ place: Tally) {
  place.set(Int(bitPattern: malloc(size)))
  free(UnsafeMutableRawPointer(bitPattern: place.value))
}
