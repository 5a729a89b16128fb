import CLinux
import Glibc
import Synchronization

/// A reference from a part to what owns it, which keeps nothing alive: null once the owner goes. What `weak` is, without the
/// object that the runtime makes for the first weak reference to another, as there may be one for each connection.
struct BackReference: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: the low bit of the word is a lock that is held for a few instructions. The owner's deinitializer waits
  // for it in `end`, so the owner's memory is there while a reference to it is tried.
  private let word = Atomic<UInt>(0)
  /// The process that made it. In a child of it that was forked meanwhile, a thread that is not there may hold the lock.
  private let process = getpid()

  private static let locked: UInt = 1

  /// To be called once, before the part is shared.
  func begin(_ owner: AnyObject) {
    word.store(UInt(bitPattern: Unmanaged.passUnretained(owner).toOpaque()), ordering: .releasing)
  }

  /// The first thing that the owner's deinitializer does.
  func end() {
    // Nobody else is left there who could look for the owner.
    guard getpid() == process else { return }
    _ = lock()
    unlock(0)
  }

  /// The owner, unless its deinitializer has begun.
  var object: AnyObject? {
    let seen = lock()
    let owner = UnsafeMutableRawPointer(bitPattern: seen)
    let isAlive = owner.map { hawt_retain_if_alive($0) } ?? false
    unlock(seen)
    return isAlive ? Unmanaged<AnyObject>.fromOpaque(owner!).takeRetainedValue() : nil
  }

  private func lock() -> UInt {
    // Acquires what the last holder did.
    while true {
      let seen = word.load(ordering: .relaxed) & ~BackReference.locked
      let (done, _) = word.weakCompareExchange(
        expected: seen, desired: seen | BackReference.locked, ordering: .acquiring)
      if done { return seen }
      hawt_pause()
    }
  }

  private func unlock(_ word: UInt) { self.word.store(word, ordering: .releasing) }
}
