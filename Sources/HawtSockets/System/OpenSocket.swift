import Glibc
import HawtDispatch
import Synchronization

/// An open socket, which is closed exactly once however its life ends:
///
/// - while no source has watched it: when its owner closes or drops it;
/// - later: by the cancel handler of the last source, after which no poller knows the number (rule S7);
/// - if the dispatcher was stopped and let go of, and those handlers with it: when they are gone.
///
/// For the last, the sources' handlers hold the socket, and it holds neither a queue nor a source nor its owner: those
/// would keep the dispatcher, and so the handlers.
class OpenSocket: @unchecked Sendable {
  // Sound as Sendable: the number and the system are constant, `isClosed` and the owner are atomic, and all else is touched
  // before the socket is shared, or on the one queue that all of its sources target.

  // An idle connection's memory counts: small fields stand together.

  final let number: CInt
  /// How many sources have not run their cancel handlers: one for each direction at most.
  private final var watchers: Int16 = 0
  private final let isClosed = Atomic<Bool>(false)
  final let system: any SocketSystem
  /// Told on the queue once the descriptor is closed.
  final var closeHandler: (@Sendable (CloseReason) throws -> Void)?
  /// Why the sources were cancelled.
  final var reason = CloseReason.cancelled
  /// What it is the socket of.
  final let owner = BackReference()

  /// Opens a socket for `address`.
  init(opening kind: SocketKind, for address: SocketAddress, system: any SocketSystem) throws(SocketError) {
    number = system.open(address.family, kind)
    self.system = system
    guard number >= 0 else {
      isClosed.store(true, ordering: .relaxed)
      throw .system(.open, subject: "a socket for \(address)", errno: -number)
    }
  }

  /// Becomes the owner of a socket that is open already.
  init(adopting number: CInt, system: any SocketSystem) {
    self.number = number
    self.system = system
  }

  deinit { close() }

  final func set(_ option: SocketOption, _ value: CInt = 1) throws(SocketError) {
    let result = system.set(option, value, on: number)
    guard result >= 0 else { throw .system(.setOption, subject: "descriptor \(number)", errno: -result) }
  }

  // What the sources' handlers capture below is the socket alone, and so costs no memory of its own.

  /// From now on the socket is closed when the cancel handler of `source` has run, and that of every other source of it. The
  /// owner is told of the end.
  final func closes(with source: ReadinessSource) {
    watchers += 1
    source.setCancelHandler { [self] in try sourceHasEnded() }
  }

  /// The same; the owner is told of a refusal, too.
  final func isWatched(by source: ReadinessSource) {
    source.setErrorHandler { [self] error in (owner.object as? any WatchedSocketOwner)?.sourceWasRefused(error) }
    closes(with: source)
  }

  private final func sourceHasEnded() throws {
    (owner.object as? any SocketOwner)?.sourceHasEnded()
    watchers -= 1
    guard watchers == 0 else { return }
    close()
    let handler = closeHandler
    // What it holds may hold the owner, which holds the socket.
    closeHandler = nil
    if let handler { return try handler(reason) }
    if case .failed(let error as SocketError) = reason, case .registration = error { throw error }
  }

  /// Closes it now.
  ///
  /// - Precondition: no source watches it.
  final func close() {
    // Orders what whoever had the socket did with it before the close.
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    willClose()
    system.close(number)
  }

  /// Called once, right before the descriptor is closed.
  func willClose() {}
}

/// A connection, a listener: what an `OpenSocket` tells of its sources, on their queue. It says in its deinitializer that it
/// goes, by `owner.end()`.
protocol SocketOwner: AnyObject {
  /// A source has ended, by whatever means: cancels the others.
  func sourceHasEnded()
}

protocol WatchedSocketOwner: SocketOwner {
  /// The system refused a registration after the source was activated; its end follows.
  func sourceWasRefused(_ error: SourceError)
}

/// A socket with an address of its own, and the file that this may have made.
final class BoundSocket: OpenSocket, @unchecked Sendable {
  // Sound as Sendable: `file` is set before the socket is shared.
  private var file: BoundFile?

  /// Gives it an address; a file that this makes is removed when the socket is closed.
  func bind(_ address: SocketAddress) throws(SocketError) {
    let result = system.bind(number, address)
    guard result >= 0 else { throw .system(.bind, subject: "\(address)", errno: -result) }
    file = address.filePath.map(BoundFile.init)
  }

  /// Where the socket really is: the system has chosen the port if it was 0.
  func address() throws(SocketError) -> SocketAddress {
    guard let address = system.localAddress(number) else {
      throw .system(.inspect, subject: "descriptor \(number)", errno: EINVAL)
    }
    return address
  }

  /// First the file, so that nobody who finds it meets a socket that is closed.
  override func willClose() { file?.remove(through: system) }
}
