internal import Synchronization

/// A worker's own run queue of one priority: the worker pushes, it and stealing peers pop. First in, first out.
///
/// A ring of three-word entries, each word atomic so that a thief may read a slot that is being overwritten: what it
/// read counts only if its compare-and-exchange of `head` succeeds, which proves that the slot was not handed out
/// meanwhile. `head` and `tail` only grow (32 bits, wrapping).
final class RunRing: @unchecked Sendable {
  // Sound as Sendable: all state is atomic, and the pointer is constant.
  static let capacity: UInt32 = 1024
  private static let mask = capacity - 1

  private let head = Atomic<UInt32>(0)
  private let tail = Atomic<UInt32>(0)
  private let words: UnsafeMutablePointer<Atomic<UInt>>

  init() {
    words = .allocate(capacity: Int(RunRing.capacity) * 3)
    for index in 0..<Int(RunRing.capacity) * 3 { (words + index).initialize(to: Atomic(0)) }
  }

  deinit {
    while true {
      let entry = pop()
      if entry.kind == Entry.Kind.empty { break }
      _ = entry.discard()
    }
    words.deinitialize(count: Int(RunRing.capacity) * 3)
    words.deallocate()
  }

  /// How many entries there are. A snapshot; exact for the owner if nobody steals.
  @inline(__always)
  var count: Int {
    let end = tail.load(ordering: .relaxed)
    return max(0, Int(Int32(bitPattern: end &- head.load(ordering: .relaxed))))
  }

  /// Whether there is something, for a worker that has announced its sleep.
  var isEmptyBeforeSleep: Bool {
    head.load(ordering: .sequentiallyConsistent) == tail.load(ordering: .sequentiallyConsistent)
  }

  @inline(__always)
  private func slot(_ number: UInt32) -> UnsafeMutablePointer<Atomic<UInt>> {
    words + Int(number & RunRing.mask) &* 3
  }

  /// Appends an entry. The owner alone.
  /// - Returns: false if the ring is full; the entry is still the caller's.
  @inline(__always)
  func push(_ entry: borrowing Entry) -> Bool {
    let end = tail.load(ordering: .relaxed)
    // Acquires what thieves have read, before their slots are written again.
    guard end &- head.load(ordering: .acquiring) < RunRing.capacity else { return false }
    let slot = slot(end)
    slot[0].store(entry.tag, ordering: .relaxed)
    slot[1].store(entry.first, ordering: .relaxed)
    slot[2].store(entry.second, ordering: .relaxed)
    // Releases the slot to whoever pops it.
    tail.store(end &+ 1, ordering: .releasing)
    return true
  }

  /// Takes the oldest entry, or `.empty`. The owner, or a thief with `tail` acquired: any thread.
  @inline(__always)
  func pop() -> Entry {
    // Acquires the owner's view of the slots that earlier thieves have left.
    var begin = head.load(ordering: .acquiring)
    while true {
      // Acquires the slot.
      guard begin != tail.load(ordering: .acquiring) else { return .empty }
      let slot = slot(begin)
      let entry = Entry(
        tag: slot[0].load(ordering: .relaxed), first: slot[1].load(ordering: .relaxed),
        second: slot[2].load(ordering: .relaxed))
      // Releases the slot to the owner's next lap.
      let (done, now) = head.weakCompareExchange(
        expected: begin, desired: begin &+ 1, ordering: .acquiringAndReleasing)
      if done { return entry }
      begin = now
    }
  }
}
