internal import Polling
internal import Synchronization

/// What the system refused, in an object, as most sources never meet it.
final class RefusedRegistration: Sendable {
  let error: BackendError
  init(_ error: BackendError) { self.error = error }
}

/// The first try to register a source, which another thread than the one in `activate` may have to make.
///
///     0 ──the thread in `activate` waits──▶ | address of its `Waiter` |
///     either ──the pass has tried──▶ | what was refused, owned, or null | complete (bit 0) |
struct Activation: ~Copyable {
  private static let complete: UInt = 1
  private let word = Atomic<UInt>(0)

  @inline(__always) var isComplete: Bool { word.load(ordering: .relaxed) & Activation.complete != 0 }

  /// Called by the passes, of which there is one at a time; the first has the word.
  func complete(_ error: BackendError?) {
    guard !isComplete else { return }
    let refused = error.map { UInt(bitPattern: Unmanaged.passRetained(RefusedRegistration($0)).toOpaque()) } ?? 0
    // Releases the error. The waiter is alive until it is signalled: its thread waits in `awaitOutcome`.
    let old = word.exchange(refused | Activation.complete, ordering: .acquiringAndReleasing)
    if let pointer = UnsafeRawPointer(bitPattern: old) {
      Unmanaged<Waiter>.fromOpaque(pointer).takeUnretainedValue().signal()
    }
  }

  /// Waits for the pass. Once only: by the call that has made the source active.
  /// - Returns: what the system refused.
  func awaitOutcome() -> BackendError? {
    if !isComplete {
      let waiter = Waiter()
      let (waits, _) = word.compareExchange(
        expected: 0, desired: UInt(bitPattern: Unmanaged.passUnretained(waiter).toOpaque()),
        ordering: .acquiringAndReleasing)
      if waits { waiter.wait() }
    }
    // Acquires the error, and takes it.
    return Activation.take(word.exchange(Activation.complete, ordering: .acquiringAndReleasing))?.error
  }

  private static func take(_ bits: UInt) -> RefusedRegistration? {
    guard let pointer = UnsafeRawPointer(bitPattern: bits & ~complete) else { return nil }
    return Unmanaged<RefusedRegistration>.fromOpaque(pointer).takeRetainedValue()
  }

  deinit {
    // Of a thread that still waits there would be a reference to the source.
    _ = Activation.take(word.load(ordering: .acquiring))
  }
}
