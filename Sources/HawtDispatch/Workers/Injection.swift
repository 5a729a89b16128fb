internal import Synchronization

/// The run queue of one priority that all workers share: what foreign threads submit, and what does not fit a worker's
/// own ring. First in, first out.
///
/// A lock guards it; a count beside it tells most workers, without the lock, that it is empty.
final class Injection: @unchecked Sendable {
  // Sound as Sendable: `lock` guards everything but the atomic count. It also keeps two accesses from overlapping, so their
  // check is off: it would be a quarter of what an entry costs.
  private let lock = Lock()
  @exclusivity(unchecked) private var entries: [Entry] = Array(repeating: .empty, count: 64)
  @exclusivity(unchecked) private var begin = 0
  @exclusivity(unchecked) private var isClosed = false
  private let waiting = Atomic<Int>(0)
  /// The most entries that are taken at once.
  private static let batch = 16

  /// How many entries wait. Sequentially consistent: a worker that has announced its sleep asks it.
  @inline(__always)
  var count: Int { waiting.load(ordering: .sequentiallyConsistent) }

  /// Whether there may be something; for a worker that will ask again before it sleeps.
  @inline(__always)
  var looksEmpty: Bool { waiting.load(ordering: .relaxed) == 0 }

  /// Appends an entry. Any thread; amortized constant time.
  /// - Returns: false if it is closed and the entry comes from outside; the entry is still the caller's.
  func push(_ entry: Entry, isOutside: Bool) -> Bool {
    lock.withLock {
      if isClosed && isOutside { return false }
      let count = waiting.load(ordering: .relaxed)
      if count == entries.count { grow() }
      entries[(begin + count) & (entries.count - 1)] = entry
      // Sequentially consistent: comes before the pusher's look at who sleeps.
      waiting.store(count + 1, ordering: .sequentiallyConsistent)
      return true
    }
  }

  /// Takes the oldest entry, or `.empty`.
  @inline(__always)
  func pop() -> Entry { looksEmpty ? .empty : popUnderLock() }

  @inline(never)
  private func popUnderLock() -> Entry {
    lock.withLock {
      let count = waiting.load(ordering: .relaxed)
      guard count > 0 else { return .empty }
      let entry = entries[begin]
      begin = (begin + 1) & (entries.count - 1)
      waiting.store(count - 1, ordering: .relaxed)
      if count == 1 { giveBackBurst() }
      return entry
    }
  }

  /// Takes the oldest entry, or `.empty`; and moves some of those behind it to a worker's run queue, for half of what waits,
  /// so that a burst does not cost the lock for each entry. By the worker's own thread.
  @inline(__always)
  func pop(sparing ring: RunRing) -> Entry { looksEmpty ? .empty : popUnderLock(sparing: ring) }

  @inline(never)
  private func popUnderLock(sparing ring: RunRing) -> Entry {
    lock.withLock {
      let count = waiting.load(ordering: .relaxed)
      guard count > 0 else { return .empty }
      let entry = entries[begin]
      var taken = 1
      while taken < min(Injection.batch, (count + 1) / 2), ring.push(entries[(begin + taken) & (entries.count - 1)]) {
        taken += 1
      }
      begin = (begin + taken) & (entries.count - 1)
      // Releases what was moved: a worker about to sleep that does not find it here finds it there.
      waiting.store(count - taken, ordering: .releasing)
      if count == taken { giveBackBurst() }
      return entry
    }
  }

  private func giveBackBurst() {
    guard entries.count > 4096 else { return }
    entries = Array(repeating: .empty, count: 64)
    begin = 0
  }

  private func grow() {
    var larger = [Entry](repeating: .empty, count: entries.count * 2)
    for index in entries.indices { larger[index] = entries[(begin + index) & (entries.count - 1)] }
    entries = larger
    begin = 0
  }

  /// From now on, entries from outside are refused (rule L3).
  func close() { lock.withLock { isClosed = true } }
  func reopen() { lock.withLock { isClosed = false } }

  deinit {
    while true {
      let entry = pop()
      if entry.kind == Entry.Kind.empty { return }
      _ = entry.discard()
    }
  }
}
