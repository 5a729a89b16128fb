internal import CLinux
internal import Glibc
internal import Synchronization

/// Where the work of a queue or source goes: one word that pushers read and a retarget replaces.
///
///     | address of the target's core | kind (bits 1, 2) | borrowed (bit 0) |
///
/// Root queues live as long as their dispatcher, which the owner of the word keeps alive, so their address can be used
/// as it is. A serial target may be let go by a retarget while a pusher reads the word: the pusher sets the low bit for
/// the two instructions in which it takes a reference of its own. The owner holds one reference to a serial target.
struct Target: ~Copyable {
  enum Kind: UInt8 { case serial = 0, thread = 2, global = 4 }

  private let word: Atomic<UInt>

  init(_ queue: QueueCore) {
    word = Atomic(Target.encode(queue))
  }

  /// Takes a reference to a serial queue.
  private static func encode(_ queue: QueueCore) -> UInt {
    let address = UInt(bitPattern: Unmanaged.passUnretained(queue).toOpaque())
    if queue.targetKind == .serial { _ = Unmanaged.passUnretained(queue).retain() }
    return address | UInt(queue.targetKind.rawValue)
  }

  /// Replaces the target. The topology lock is held; the old target's reference goes to the caller, to be released
  /// without the lock.
  func replace(with queue: QueueCore) -> QueueCore {
    let new = Target.encode(queue)
    var old = word.load(ordering: .relaxed)
    while true {
      old &= ~1
      // Releases the new target to pushers that acquire the word; waits out a borrower by failing.
      let (done, seen) = word.weakCompareExchange(expected: old, desired: new, ordering: .acquiringAndReleasing)
      if done { break }
      if seen & 1 != 0 { hawt_pause() }
      old = seen
    }
    let queue = Target.queue(old)
    return old & 6 == UInt(Kind.serial.rawValue) ? queue.takeRetainedValue() : queue.takeUnretainedValue()
  }

  private static func queue(_ word: UInt) -> Unmanaged<QueueCore> {
    .fromOpaque(UnsafeRawPointer(bitPattern: word & ~7)!)
  }

  /// The target, with a reference of the caller's own.
  var current: QueueCore {
    // Acquires the target that a retarget released.
    let seen = word.load(ordering: .acquiring) & ~1
    if seen & 6 != UInt(Kind.serial.rawValue) { return Target.queue(seen).takeUnretainedValue() }
    return borrow()
  }

  @inline(never)
  private func borrow() -> QueueCore {
    var spins = 0
    while true {
      let seen = word.load(ordering: .relaxed) & ~1
      // Acquires the target; nobody replaces the word, and so lets go of the target, while the bit is set.
      let (done, _) = word.weakCompareExchange(expected: seen, desired: seen | 1, ordering: .acquiring)
      if done {
        let queue = Target.queue(seen)
        hawt_retain(queue.toOpaque())
        word.store(seen, ordering: .releasing)
        return queue.takeRetainedValue()
      }
      spins += 1
      if spins < 64 { hawt_pause() } else { sched_yield() }
    }
  }

  /// Hands an entry, which is the library's own and so never refused, to the target.
  @inline(__always)
  func push(_ entry: Entry, worker: WorkerRef?) {
    let seen = word.load(ordering: .acquiring) & ~1
    switch seen & 6 {
    case UInt(Kind.global.rawValue):
      Target.queue(seen)._withUnsafeGuaranteedRef {
        unsafeDowncast($0, to: GlobalCore.self).enqueue(entry, worker: worker)
      }
    case UInt(Kind.thread.rawValue):
      Target.queue(seen)._withUnsafeGuaranteedRef {
        unsafeDowncast($0, to: ThreadCore.self).enqueue(entry, worker: worker)
      }
    default:
      // A retarget may have put another kind of queue there meanwhile: dispatch on what was borrowed.
      borrow().enqueue(entry, worker: worker)
    }
  }

  deinit {
    let seen = word.load(ordering: .acquiring)
    if seen & 6 == UInt(Kind.serial.rawValue) { Target.queue(seen).release() }
  }
}
