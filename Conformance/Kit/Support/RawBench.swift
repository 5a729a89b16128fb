import Glibc
import HawtDispatch
import Polling

/// A backend without a dispatcher, and what it was told to watch.
///
/// As a poller does, it always has one descriptor registered: slot 0, a bell that ends a wait. What it hands out stays open
/// until it goes, and nothing is closed while it is registered.
final class RawBench {
  let backend: RawBackend
  /// An eventfd: ring it to end a wait.
  let bell: Descriptor
  private var registered: [Polling.Token: (number: CInt, interest: Interest)] = [:]
  private var nextSlot: UInt32 = 1
  private var kept: [Ends] = []
  /// How long to wait for what must come.
  private var patience = Duration.seconds(10)

  static let bellToken = Polling.Token(slot: 0, generation: 1)

  convenience init(_ context: CheckContext) throws {
    try self.init(context.subject)
    patience = context.patience
  }

  init(_ subject: Subject) throws {
    backend = try subject.laboratory.makeRawBackend()
    bell = try Descriptor.event()
    try backend.add(bell.number, Self.bellToken, .read)
    registered[Self.bellToken] = (bell.number, .read)
  }

  deinit {
    for (token, entry) in registered { backend.remove(entry.number, token, from: entry.interest) }
  }

  /// A connection that stays open at least as long as the bench.
  func ends(_ kind: Ends.Kind = .unixStream) throws -> Ends {
    let ends = try Ends(kind)
    kept.append(ends)
    return ends
  }

  func pipe() throws -> Ends {
    let ends = try Ends.pipe()
    kept.append(ends)
    return ends
  }

  /// Registers a descriptor under a token of its own.
  func add(_ number: CInt, _ interest: Interest) throws -> Polling.Token {
    let token = Polling.Token(slot: nextSlot, generation: nextSlot &* 3)
    nextSlot += 1
    try backend.add(number, token, interest)
    registered[token] = (number, interest)
    return token
  }

  func change(_ number: CInt, _ token: Polling.Token, to interest: Interest) throws {
    try backend.change(number, token, from: self.interest(of: token), to: interest)
    registered[token] = (number, interest)
  }

  func interest(of token: Polling.Token) -> Interest { registered[token]?.interest ?? [] }

  func remove(_ number: CInt, _ token: Polling.Token) {
    backend.remove(number, token, from: interest(of: token))
    registered[token] = nil
  }

  /// What a wait reports of a descriptor that is going to be ready, or nil if it never does: waits that do not sleep, so
  /// that a backend which has lost it is found out instead of waited for.
  func awaitReport(of token: Polling.Token) throws -> Interest? {
    let start = Moment.now
    repeat {
      if let found = try wait()[token] { return found }
      _ = Lock().wait(atMost: .microseconds(200)) { false }
    } while start.elapsed < patience
    // Who has missed one report is going to miss more, and is known to fail.
    patience = .milliseconds(20)
    return nil
  }

  /// What one wait reports, cut down to what was asked, as a poller does; the bell, if it rang, is in it.
  func wait(_ mode: WaitMode = .now, capacity: Int = 64) throws -> [Polling.Token: Interest] {
    var found: [Polling.Token: Interest] = [:]
    for entry in try backend.wait(mode, capacity: capacity) {
      found[entry.token, default: []].formUnion(entry.readiness.intersection(interest(of: entry.token)))
    }
    return found
  }
}
