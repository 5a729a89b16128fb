import HawtDispatch
import Support
import Synchronization

/// A task that was made once and posts itself.
final class Reused: Operation, @unchecked Sendable {
  // Sound as Sendable: `item` is set before the first post.
  private let countdown = Countdown()
  private let queue: any Queue
  private var item: WorkItem!

  init(_ queue: any Queue) {
    self.queue = queue
    item = WorkItem { [unowned self] in if countdown.step() { queue.async(item) } }
  }

  func run(_ count: Int) { countdown.run(count) { queue.async(item) } }
}

/// A closure made anew each time, which captures one reference: it costs its own allocation.
struct Fresh: Operation {
  private let countdown = Countdown()
  private let queue: SerialQueue

  init(_ queue: SerialQueue) { self.queue = queue }

  func run(_ count: Int) { countdown.run(count) { Self.post(countdown, queue) } }

  private static func post(_ countdown: Countdown, _ queue: SerialQueue) {
    queue.async { if countdown.step() { post(countdown, queue) } }
  }
}

/// A worker posts tasks and does not come back before they have run: its peer must steal them all.
final class Steal: Operation, @unchecked Sendable {
  // Sound as Sendable: the items are set before the first post.
  private static let batch = 50
  private let countdown = Countdown()
  private let missing = Atomic<Int>(0)
  private let global: GlobalQueue
  private var robbed: WorkItem!
  private var stolen: WorkItem!

  init(_ dispatcher: Dispatcher) {
    global = dispatcher.global()
    stolen = WorkItem { [unowned self] in missing.wrappingSubtract(1, ordering: .releasing) }
    robbed = WorkItem { [unowned self] in
      missing.store(Self.batch, ordering: .relaxed)
      for _ in 0..<Self.batch { global.async(stolen) }
      while missing.load(ordering: .acquiring) > 0 {}
      if countdown.step() { global.async(robbed) }
    }
  }

  func run(_ count: Int) { countdown.run(count / Self.batch) { global.async(robbed) } }
}

/// A thread that is no worker posts in bursts of a thousand, while the first task of each burst holds the queue until
/// all are in: one wake-up would do for each burst.
struct Foreign: Operation {
  private static let burst = 1000
  private let queue: SerialQueue
  private let posted = Gate()
  private let done = Gate()
  private let first: WorkItem
  private let middle = WorkItem {}
  private let last: WorkItem

  init(_ queue: SerialQueue) {
    self.queue = queue
    let (posted, done) = (posted, done)
    first = WorkItem { posted.wait() }
    last = WorkItem { done.signal() }
  }

  func run(_ count: Int) {
    for _ in 0..<(count / Self.burst) {
      queue.async(first)
      for _ in 2..<Self.burst { queue.async(middle) }
      queue.async(last)
      posted.signal()
      done.wait()
    }
  }
}

/// A backlog of a million tasks, posted while the queue is suspended, and run: what pools keep of it is what is left.
struct Burst: Operation {
  private let queue: SerialQueue
  private let item = WorkItem {}

  init(_ queue: SerialQueue) { self.queue = queue }

  func run(_ count: Int) {
    let gate = Gate()
    let before = allocatedBytes()
    queue.suspend()
    for _ in 0..<count { queue.async(item) }
    queue.async { gate.signal() }
    report("bytes-held", Double(allocatedBytes() - before))
    queue.resume()
    gate.wait()
    // The queue gives back what it holds when it has become idle, which is after its last task.
    while queue.state != .idle {}
    report("bytes-left", Double(allocatedBytes() - before))
  }
}
