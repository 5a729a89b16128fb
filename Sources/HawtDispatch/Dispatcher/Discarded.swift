/// What a shutdown takes out of the queues when its deadline has passed. It is let go of without any lock: what tasks
/// captured is user code's.
struct Discarded {
  private var entries: [(entry: Entry, runner: Worker?)] = []
  /// Whether nothing of users' or sources' was found.
  private(set) var isEmpty = true

  /// - Parameter runner: the worker whose thread is held by a task of the queue that the entry comes from.
  mutating func take(_ entry: Entry, from runner: Worker? = nil) {
    entries.append((entry, runner))
    // Void entries and those of queues stand for nothing by themselves, and outsiders may go on to be refused.
    if entry.kind == Entry.Kind.job || entry.kind == Entry.Kind.object { isEmpty = false }
  }

  /// - Returns: how many were users' tasks.
  mutating func letGo() -> Int {
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
    return tasks
  }
}
