import Glibc
import Polling
import Synchronization

/// A backend and somebody who does something to a descriptor just before the backend is told of a change or a removal, as
/// another thread might at that very moment.
struct MeddledBackend<Base: PollingBackend & ~Copyable>: PollingBackend, ~Copyable {
  private var base: Base

  static var identity: BackendIdentity { Base.identity }
  static var traits: BackendTraits { Base.traits }

  init() throws(BackendError) {
    if Meddler.hasNoRoom { throw BackendError(.create, code: EMFILE) }
    base = try Base()
  }

  mutating func add(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError) {
    try base.add(descriptor, token, interest)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    Meddler.interfere(with: descriptor)
    try base.change(descriptor, token, from: old, to: new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    Meddler.interfere(with: descriptor)
    base.remove(descriptor, token, from: interest)
  }

  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    try base.wait(mode, into: &ready)
  }
}

/// What is to happen to descriptors, each once. By number, because a poller makes its backends by itself.
enum Meddler {
  /// Whether the system has no room for another backend, for the present test.
  @TaskLocal static var hasNoRoom = false

  private static let plans = Mutex<[CInt: @Sendable () -> Void]>([:])

  static func plan(for descriptor: CInt, _ action: @escaping @Sendable () -> Void) {
    plans.withLock { $0[descriptor] = action }
  }

  static func interfere(with descriptor: CInt) {
    plans.withLock { $0.removeValue(forKey: descriptor) }?()
  }
}
