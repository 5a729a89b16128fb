import Glibc
import Polling

/// A backend that asks no system: the protocol's contract over a `MemoryWorld`, deterministic, for one thread.
///
/// It is what the others are compared with, call by call, and shows how little the contract is: a table, and one look at
/// each entry per wait.
struct MemoryBackend: PollingBackend, ~Copyable {
  private let world: MemoryWorld
  private var registrations: [CInt: (token: Polling.Token, interest: Interest)] = [:]

  static var identity: BackendIdentity { BackendIdentity("memory") }

  /// A backend of a world in which nothing is open.
  init() throws(BackendError) { world = MemoryWorld() }

  init(of world: MemoryWorld) { self.world = world }

  mutating func add(_ descriptor: CInt, _ token: Polling.Token, _ interest: Interest) throws(BackendError) {
    if let code = world.refusal(of: descriptor) { throw BackendError(.add, descriptor: descriptor, code: code) }
    registrations[descriptor] = (token, interest)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Polling.Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    registrations[descriptor] = new.isEmpty ? nil : (token, new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Polling.Token, from interest: Interest) {
    registrations[descriptor] = nil
  }

  /// - Throws: EDEADLK where a wait would last for ever: nobody else could make anything ready.
  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    for (descriptor, registration) in registrations.sorted(by: { $0.key < $1.key }) {
      let readiness = world.readiness(of: descriptor).intersection(registration.interest)
      if !readiness.isEmpty { ready.append(registration.token, readiness) }
    }
    if mode == .untilReady && ready.count == 0 { throw BackendError(.wait, code: EDEADLK) }
  }
}
