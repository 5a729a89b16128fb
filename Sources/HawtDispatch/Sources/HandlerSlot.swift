internal import CLinux
internal import Synchronization

/// A closure that user code set, in an object. Subclasses know its type.
class HandlerBox: @unchecked Sendable {
  // Sound as Sendable: subclasses hold one constant `@Sendable` closure.
}

final class CancelHandlerBox: HandlerBox, @unchecked Sendable {
  // Sound as Sendable: see `HandlerBox`.
  let run: @Sendable () throws -> Void
  init(_ run: @escaping @Sendable () throws -> Void) { self.run = run }
}

/// A place for one handler that may be replaced while it runs: the runner takes a reference of its own.
struct HandlerSlot: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: the low bit of the word is a lock that is held for two instructions; it guards the reference.
  private let word = Atomic<UInt>(0)

  /// The handler, with a reference of the caller's own.
  @inline(__always)
  var current: HandlerBox? {
    let seen = take()
    guard let pointer = UnsafeRawPointer(bitPattern: seen) else {
      word.store(seen, ordering: .releasing)
      return nil
    }
    hawt_retain(pointer)
    word.store(seen, ordering: .releasing)
    return Unmanaged<HandlerBox>.fromOpaque(pointer).takeRetainedValue()
  }

  /// Whether there is one. Sequentially consistent, for who asks after another change.
  @inline(__always)
  var isSet: Bool { word.load(ordering: .sequentiallyConsistent) > 1 }

  @inline(__always)
  private func take() -> UInt {
    // Acquires the box that `set` released.
    while true {
      let seen = word.load(ordering: .relaxed) & ~1
      let (done, _) = word.weakCompareExchange(expected: seen, desired: seen | 1, ordering: .acquiring)
      if done { return seen }
    }
  }

  /// Replaces the handler.
  func set(_ box: HandlerBox?) {
    let old = take()
    let new = box.map { UInt(bitPattern: Unmanaged.passRetained($0).toOpaque()) } ?? 0
    word.store(new, ordering: .releasing)
    // Without the lock: what it captured is user code's.
    if let pointer = UnsafeRawPointer(bitPattern: old) { Unmanaged<HandlerBox>.fromOpaque(pointer).release() }
  }

  func clear() { set(nil) }

  deinit { clear() }
}
