internal import CLinux
internal import Synchronization

/// A closure in a structure of its own, which gives it one layout: `HandlerSlot` keeps the words of such a structure. It has
/// one owner, who calls it once, so that no reference is counted beside that.
protocol Handler: ~Copyable, Sendable {}

struct CancelHandler: Handler, ~Copyable {
  let run: @Sendable () throws -> Void
  @inline(__always)
  consuming func call() throws { try run() }
}

/// A place for one handler that may be replaced while it runs: the runner takes a reference of its own.
///
/// The handler needs no object: what is kept is the two words that a closure consists of, its function and its context,
/// a counted reference or null. One slot holds handlers of one type; who reads it knows which.
struct HandlerSlot: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: the low bit of the context is a lock that is held for a few instructions; it guards both words and
  // the reference. Contexts are objects, so the bit is free.
  private let function = Atomic<UInt>(0)
  private let context = Atomic<UInt>(0)

  private static let locked: UInt = 1

  /// The handler, with a reference of the caller's own.
  @inline(__always)
  func current<Kind: Handler & ~Copyable>(_ kind: Kind.Type) -> Kind? {
    let context = lock()
    let function = self.function.load(ordering: .relaxed)
    if let object = UnsafeRawPointer(bitPattern: context) { hawt_retain(object) }
    unlock(context)
    if function == 0 { return nil }
    return HandlerSlot.handler(function, context)
  }

  /// Whether there is one. Sequentially consistent, for who asks after another change.
  @inline(__always)
  var isSet: Bool { function.load(ordering: .sequentiallyConsistent) != 0 }

  /// Replaces the handler.
  func set<Kind: Handler & ~Copyable>(_ handler: consuming Kind) {
    let (function, context) = HandlerSlot.words(handler)
    replace(function, context)
  }

  func clear() { replace(0, 0) }

  private func replace(_ newFunction: UInt, _ newContext: UInt) {
    let old = lock()
    function.store(newFunction, ordering: .sequentiallyConsistent)
    unlock(newContext)
    // Without the lock: what it captured is user code's.
    if let object = UnsafeRawPointer(bitPattern: old) { hawt_release_n(object, 1) }
  }

  @inline(__always)
  private func lock() -> UInt {
    // Acquires the words that `unlock` released.
    while true {
      let seen = context.load(ordering: .relaxed) & ~HandlerSlot.locked
      let (done, _) = context.weakCompareExchange(
        expected: seen, desired: seen | HandlerSlot.locked, ordering: .acquiring)
      if done { return seen }
    }
  }

  @inline(__always)
  private func unlock(_ context: UInt) { self.context.store(context, ordering: .releasing) }

  /// Moves the words of the closure out of Swift's hands: initialized into the buffer and never deinitialized there, so
  /// that the slot owns the reference.
  private static func words<Kind: Handler & ~Copyable>(_ handler: consuming Kind) -> (UInt, UInt) {
    trap(unless: MemoryLayout<Kind>.size == MemoryLayout<(UInt, UInt)>.size, "a handler is more than one closure")
    var moved: Kind? = consume handler
    return withUnsafeTemporaryAllocation(of: Kind.self, capacity: 1) { buffer in
      buffer.baseAddress!.initialize(to: moved.take()!)
      return UnsafeRawPointer(buffer.baseAddress!).load(as: (UInt, UInt).self)
    }
  }

  /// The inverse: the same two words, with a reference, given back to Swift.
  @inline(__always)
  private static func handler<Kind: Handler & ~Copyable>(_ function: UInt, _ context: UInt) -> Kind {
    withUnsafeTemporaryAllocation(of: Kind.self, capacity: 1) { buffer in
      UnsafeMutableRawPointer(buffer.baseAddress!).storeBytes(of: (function, context), as: (UInt, UInt).self)
      return buffer.baseAddress!.move()
    }
  }

  deinit { clear() }
}
