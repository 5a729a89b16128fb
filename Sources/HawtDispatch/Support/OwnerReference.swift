internal import Synchronization

/// A part's reference to the dispatcher that owns it, set once when both exist. It keeps nothing alive.
///
/// An atomic word, because a class's variable would cost an exclusivity check at each access.
struct OwnerReference: ~Copyable {
  private let word: Atomic<UInt>

  init(_ owner: DispatcherCore? = nil) {
    word = Atomic(owner.map { UInt(bitPattern: Unmanaged.passUnretained($0).toOpaque()) } ?? 0)
  }

  /// Before anybody else knows the part. Relaxed, as what publishes the part publishes the word.
  func set(_ owner: DispatcherCore) {
    word.store(UInt(bitPattern: Unmanaged.passUnretained(owner).toOpaque()), ordering: .relaxed)
  }

  /// Tells owners apart, without touching them.
  @inline(__always) var bits: UInt { word.load(ordering: .relaxed) }

  /// Lends the owner without counting a reference.
  @inline(__always)
  func use<Value>(_ body: (DispatcherCore) -> Value) -> Value {
    Unmanaged<DispatcherCore>.fromOpaque(
      UnsafeRawPointer(bitPattern: word.load(ordering: .relaxed)).unsafelyUnwrapped
    )._withUnsafeGuaranteedRef(body)
  }

  @inline(__always)
  func isSame(as dispatcher: DispatcherCore) -> Bool {
    word.load(ordering: .relaxed) == UInt(bitPattern: Unmanaged.passUnretained(dispatcher).toOpaque())
  }

  /// - Precondition: it has been set, and the owner is alive.
  @inline(__always)
  var value: DispatcherCore {
    Unmanaged.fromOpaque(UnsafeRawPointer(bitPattern: word.load(ordering: .relaxed)).unsafelyUnwrapped)
      .takeUnretainedValue()
  }
}
