/// The timers of a group, in the order in which they are due. The group's lock guards it.
///
/// A timer that was cancelled by its state alone stays in its place until its turn comes or it is swept out. A sweep looks at
/// a few places at a time, so that nobody waits for all of them (rule Q4): it empties what it has still to look at from the
/// end, which leaves a heap a heap, and moves what is not cancelled to the other one. Until it is through, the first timer is
/// the earlier of two heaps' first ones.
struct ArmedTimers: ~Copyable {
  typealias Key = HeapKey

  private var timers = LeewayHeap<ArmedTimer>()
  private static let batch = 16
  /// What a sweep has still to look at.
  private var unswept = IndexedHeap<ArmedTimer>()

  var isEmpty: Bool { timers.isEmpty && unswept.isEmpty }
  /// The cancelled ones that are still there included.
  var count: Int { timers.count + unswept.count }

  /// Adds a timer, or gives one that is there other times.
  mutating func place(_ timer: ArmedTimer, _ key: Key, latest: Nanoseconds) {
    if timer.heapIndex < 0 {
      timers.insert(timer, key, latest: latest)
    } else if unswept.holds(timer) {
      // The heap that it is in may hold the last reference.
      withExtendedLifetime(timer) {
        unswept.remove(timer)
        timers.insert(timer, key, latest: latest)
      }
    } else {
      timers.update(timer, key, latest: latest)
    }
  }

  /// Takes a timer out of the middle.
  mutating func remove(_ timer: ArmedTimer) {
    if unswept.holds(timer) { unswept.remove(timer) } else { timers.remove(timer) }
  }

  /// Takes out the timer that is due first, if it is by `now`, and hands over the reference to it.
  @inline(__always)
  mutating func takeFirst(until now: Nanoseconds) -> Unmanaged<ArmedTimer>? {
    unswept.isEmpty ? timers.takeFirst(until: now) : takeFirstOfBoth(until: now)
  }

  @inline(never)
  private mutating func takeFirstOfBoth(until now: Nanoseconds) -> Unmanaged<ArmedTimer>? {
    guard let (key, _) = unswept.first else { return nil }
    if let (other, _) = timers.first, other < key { return timers.takeFirst(until: now) }
    return key.time <= now ? unswept.takeFirst() : nil
  }

  /// When the next timers are due.
  var earliest: TimerPoint? {
    guard let time = unswept.firstTime else { return timers.earliest }
    guard let other = timers.earliest else { return TimerPoint(due: time, latest: time) }
    return TimerPoint(due: min(time, other.due), latest: min(time, other.latest))
  }

  /// Takes out cancelled timers that stand before all others, so that nobody is woken for them.
  /// - Returns: how many.
  mutating func dropCancelledFirst(atMost limit: Int) -> Int {
    var dropped = 0
    while dropped < limit, let (_, timer) = unswept.first, timer.isCancelled {
      unswept.takeFirst().release()
      dropped += 1
    }
    return dropped + timers.dropFirst(atMost: limit - dropped) { $0.isCancelled }
  }

  /// Whether the first timer, or the first that a sweep has still to look at, is cancelled.
  var isFirstCancelled: Bool { unswept.first?.element.isCancelled ?? false || timers.isFirstExact { $0.isCancelled } }

  /// Looks at some places more, and takes out the timers that are cancelled.
  /// - Returns: how many.
  mutating func sweep(_ places: Int) -> Int {
    if unswept.isEmpty { timers.exchangeExact(&unswept) }
    var swept = 0
    var left = places
    while left > 0, let (key, timer) = unswept.takeLast() {
      // Whether it is cancelled is a branch that nobody can guess: the misses would come one after the other.
      if left % ArmedTimers.batch == 0 { unswept.prefetchLast(ArmedTimers.batch) }
      left -= 1
      if timer._withUnsafeGuaranteedRef({ $0.isCancelled }) {
        timer.release()
        swept += 1
      } else {
        timers.insertExact(owning: timer, key)
      }
    }
    return swept
  }

  /// Takes everything out.
  mutating func removeAll(_ body: (ArmedTimer) -> Void) {
    unswept.removeAll(body)
    timers.removeAll(body)
  }
}
