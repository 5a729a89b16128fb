import Polling

/// What the kit can do with the *type* of a backend, the type hidden: instances without a dispatcher around them, and
/// dispatchers that are watched while they use it.
struct Laboratory: Sendable {
  let identity: BackendIdentity
  let traits: BackendTraits
  /// The backend inside a wrapper that tells the present `BackendObserver` of every call.
  let observed: Backend
  private let make: @Sendable () throws -> RawBackend

  init<B: PollingBackend & ~Copyable>(_ type: B.Type) {
    identity = B.identity
    traits = B.traits
    observed = Backend(ObservedBackend<B>.self)
    make = { TypedRawBackend(try B()) }
  }

  func makeRawBackend() throws -> RawBackend { try make() }
}

/// One instance of a backend whose type is hidden.
///
/// Sound as `Sendable` as long as one thread at a time uses it, which is rule B6, and the checks' business.
class RawBackend: @unchecked Sendable {
  func add(_ descriptor: CInt, _ token: Polling.Token, _ interest: Interest) throws { fatalError("overridden") }
  func change(_ descriptor: CInt, _ token: Polling.Token, from old: Interest, to new: Interest) throws {
    fatalError("overridden")
  }
  func remove(_ descriptor: CInt, _ token: Polling.Token, from interest: Interest) { fatalError("overridden") }
  /// One wait into a buffer of the given size.
  func wait(_ mode: WaitMode, capacity: Int = 64) throws -> [ReadyBuffer.Entry] { fatalError("overridden") }
}

final class TypedRawBackend<B: PollingBackend & ~Copyable>: RawBackend, @unchecked Sendable {
  // Sound as Sendable: one thread at a time uses it, as rule B6 has it.
  private var backend: B

  init(_ backend: consuming B) { self.backend = backend }

  override func add(_ descriptor: CInt, _ token: Polling.Token, _ interest: Interest) throws {
    try backend.add(descriptor, token, interest)
  }

  override func change(_ descriptor: CInt, _ token: Polling.Token, from old: Interest, to new: Interest) throws {
    try backend.change(descriptor, token, from: old, to: new)
  }

  override func remove(_ descriptor: CInt, _ token: Polling.Token, from interest: Interest) {
    backend.remove(descriptor, token, from: interest)
  }

  override func wait(_ mode: WaitMode, capacity: Int) throws -> [ReadyBuffer.Entry] {
    var buffer = ReadyBuffer(capacity: capacity)
    try backend.wait(mode, into: &buffer)
    return (0..<buffer.count).map { buffer[$0] }
  }
}
