internal import CLinux

/// What a shutdown takes out of the queues when its deadline has passed. It is let go of without any lock: what tasks
/// captured is user code's.
struct Discarded {
  private var entries: [(entry: Entry, runner: Worker?)] = []
  /// What is owed all the same.
  private var kept: [Owed] = []
  /// Whether nothing of users' or sources' was found.
  private(set) var isEmpty = true

  /// An `OwedCall` that waits for a restart, with the queue that it goes back to.
  struct Owed {
    let queue: QueueCore
    let entry: Entry
  }

  /// - Parameters:
  ///   - queue: where the entry stood.
  ///   - runner: the worker whose thread is held by a task of that queue.
  mutating func take(_ entry: Entry, of queue: QueueCore, from runner: Worker? = nil) {
    if entry.isOwed, let queue = Discarded.reference(to: queue) {
      kept.append(Owed(queue: queue, entry: entry))
      return
    }
    entries.append((entry, runner))
    // Void entries and those of queues stand for nothing by themselves, and outsiders may go on to be refused.
    if entry.kind == Entry.Kind.job || entry.kind == Entry.Kind.object { isEmpty = false }
  }

  /// Nil if the queue is on its way out, as one may be that the topology still knows: then what it holds goes with it.
  private static func reference(to queue: QueueCore) -> QueueCore? {
    let pointer = Unmanaged.passUnretained(queue).toOpaque()
    return hawt_retain_if_alive(pointer) ? Unmanaged<QueueCore>.fromOpaque(pointer).takeRetainedValue() : nil
  }

  /// - Returns: how many were users' tasks, and what is owed.
  mutating func letGo() -> (tasks: Int, owed: [Owed]) {
    var tasks = 0
    for (entry, runner) in entries {
      guard let runner, entry.kind == Entry.Kind.object else {
        if entry.discard() { tasks += 1 }
        continue
      }
      // The entry may be a re-post by the very task that holds the thread, with the reference that keeps its closure
      // alive: that goes when the thread does.
      if entry.object._withUnsafeGuaranteedRef({ $0.discard(ticket: entry.second) }) { tasks += 1 }
      runner.keepUntilItEnds(entry.object)
    }
    entries = []
    defer { kept = [] }
    return (tasks, kept)
  }
}
