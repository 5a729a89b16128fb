import Glibc
import HawtDispatch
import Polling

/// A backend without a dispatcher, and what it was told to watch.
///
/// As a poller does, it always has one descriptor registered: slot 0, a bell that ends a wait.
final class RawBench {
  let backend: RawBackend
  /// An eventfd: ring it to end a wait.
  let bell: Descriptor
  private var asked: [Polling.Token: Interest] = [:]
  private var nextSlot: UInt32 = 1

  static let bellToken = Polling.Token(slot: 0, generation: 1)

  init(_ context: CheckContext) throws {
    backend = try context.subject.laboratory.makeRawBackend()
    bell = try Descriptor.event()
    try backend.add(bell.number, Self.bellToken, .read)
    asked[Self.bellToken] = .read
  }

  /// Registers a descriptor under a token of its own.
  func add(_ number: CInt, _ interest: Interest) throws -> Polling.Token {
    let token = Polling.Token(slot: nextSlot, generation: nextSlot &* 3)
    nextSlot += 1
    try backend.add(number, token, interest)
    asked[token] = interest
    return token
  }

  func change(_ number: CInt, _ token: Polling.Token, to interest: Interest) throws {
    let old = asked[token] ?? []
    try backend.change(number, token, from: old, to: interest)
    asked[token] = interest
  }

  func interest(of token: Polling.Token) -> Interest { asked[token] ?? [] }

  func remove(_ number: CInt, _ token: Polling.Token) {
    backend.remove(number, token, from: asked[token] ?? [])
    asked[token] = nil
  }

  /// What one wait reports, cut down to what was asked, as a poller does; the bell, if it rang, is in it.
  func wait(_ mode: WaitMode = .now, capacity: Int = 64) throws -> [Polling.Token: Interest] {
    var found: [Polling.Token: Interest] = [:]
    for entry in try backend.wait(mode, capacity: capacity) {
      found[entry.token, default: []].formUnion(entry.readiness.intersection(asked[entry.token] ?? []))
    }
    return found
  }
}
