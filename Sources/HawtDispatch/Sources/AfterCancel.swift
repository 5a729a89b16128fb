internal import Synchronization

/// What waits for a source's cancel handler to have run (see `Dispatcher.whenCancelled`). Most sources have nothing that
/// does, so a list is made for the first that comes.
///
///     | address of the list (63) | has happened (1) |
struct AfterCancel: ~Copyable {
  private static let happenedBit: UInt = 1
  private let word = Atomic<UInt>(0)

  /// Calls `body` once the cancel handler has run; at once if it has. Any thread.
  func add(_ body: @escaping @Sendable () -> Void) {
    var seen = word.load(ordering: .acquiring)
    while seen == 0 {
      let made = Unmanaged.passRetained(List())
      // Releases the list to whoever finds it.
      let (done, now) = word.compareExchange(
        expected: 0, desired: UInt(bitPattern: made.toOpaque()), ordering: .acquiringAndReleasing)
      if !done { made.release() }
      seen = done ? UInt(bitPattern: made.toOpaque()) : now
    }
    guard let list = AfterCancel.list(seen) else { return body() }
    list.add(body)
  }

  func happened() {
    // Acquires a list that was made before, and releases what the cancel handler did to whoever comes later.
    let old = word.bitwiseOr(AfterCancel.happenedBit, ordering: .acquiringAndReleasing).oldValue
    AfterCancel.list(old)?.happened()
  }

  private static func list(_ bits: UInt) -> List? {
    guard let pointer = UnsafeRawPointer(bitPattern: bits & ~happenedBit) else { return nil }
    return Unmanaged<List>.fromOpaque(pointer).takeUnretainedValue()
  }

  deinit {
    guard let pointer = UnsafeRawPointer(bitPattern: word.load(ordering: .acquiring) & ~AfterCancel.happenedBit) else {
      return
    }
    Unmanaged<List>.fromOpaque(pointer).release()
  }

  private final class List: @unchecked Sendable {
    // Sound as Sendable: `lock` guards both fields.
    private let lock = Lock()
    private var hasHappened = false
    private var waiting: [@Sendable () -> Void] = []

    func add(_ body: @escaping @Sendable () -> Void) {
      let now = lock.withLock { () -> Bool in
        if !hasHappened { waiting.append(body) }
        return hasHappened
      }
      if now { body() }
    }

    func happened() {
      let due = lock.withLock { () -> [@Sendable () -> Void] in
        hasHappened = true
        defer { waiting = [] }
        return waiting
      }
      for body in due { body() }
    }
  }
}
