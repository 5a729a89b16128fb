import Glibc
import HawtDispatch
import Synchronization

/// An open socket, which is closed exactly once however its life ends:
///
/// - while no source has watched it: when its owner closes or drops it;
/// - later: by the cancel handler of the last source, after which no poller knows the number (rule S7);
/// - if the dispatcher was stopped and let go of, and those handlers with it: when they are gone.
///
/// For the last, cancel handlers hold the socket, and it holds neither a queue nor a source: those would keep the
/// dispatcher, and so the handlers.
final class OpenSocket: @unchecked Sendable {
  // Sound as Sendable: the number and the system are constant, `isClosed` is atomic, and all else is touched before the
  // socket is shared, or on the one queue that all of its sources target.

  let number: CInt
  let system: any SocketSystem
  /// Told on the queue once the descriptor is closed.
  var closeHandler: (@Sendable (CloseReason) throws -> Void)?
  /// Why the sources were cancelled.
  var reason = CloseReason.cancelled
  /// The file that its address has made.
  private var file: BoundFile?
  /// How many sources have not run their cancel handlers.
  private var watchers = 0
  private let isClosed = Atomic<Bool>(false)

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

  func set(_ option: SocketOption, _ value: CInt = 1) throws(SocketError) {
    let result = system.set(option, value, on: number)
    guard result >= 0 else { throw .system(.setOption, subject: "descriptor \(number)", errno: -result) }
  }

  /// Gives it an address; a file that this makes is removed when the socket is closed.
  func bind(_ address: SocketAddress) throws(SocketError) {
    let result = system.bind(number, address)
    guard result >= 0 else { throw .system(.bind, subject: "\(address)", errno: -result) }
    file = address.filePath.map(BoundFile.init)
  }

  /// Where the socket really is: the system has chosen the port if it was 0.
  func boundAddress() throws(SocketError) -> SocketAddress {
    guard let address = system.localAddress(number) else {
      throw .system(.inspect, subject: "descriptor \(number)", errno: EINVAL)
    }
    return address
  }

  /// From now on the socket is closed when the cancel handler of `source` has run, and that of every other source of it.
  ///
  /// - Parameter ended: called on the queue when `source` has ended, by whatever means; cancels the others.
  func isWatched(by source: ReadinessSource, ended: @escaping @Sendable () -> Void) {
    watchers += 1
    source.setCancelHandler { [self] in
      ended()
      watchers -= 1
      guard watchers == 0 else { return }
      close()
      let handler = closeHandler
      // What it holds may hold the owner, which holds the socket.
      closeHandler = nil
      if let handler { return try handler(reason) }
      if case .failed(let error as SocketError) = reason, case .registration = error { throw error }
    }
  }

  /// Closes it now.
  ///
  /// - Precondition: no source watches it.
  func close() {
    // Orders what whoever had the socket did with it before the close.
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    // First the file, so that nobody who finds it meets a socket that is closed.
    file?.remove(through: system)
    system.close(number)
  }
}
