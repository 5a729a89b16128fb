public import HawtDispatch
import Synchronization

/// A stream connection (TCP or Unix) whose work happens on one serial queue.
///
/// ```
///              activate()                       closeAfterWriting()               all written
///   open ──────────────────► open, watched ──────────────────────────► finishing ─────────────► lingering
///    │                            │                                        │                        │
///    └─── cancel(), error ────────┴────────────────────────────────────────┴── peer finished, time ─┘──► closed
/// ```
///
/// *Where it may be used.* Everything but `cancel()` belongs to `queue`: methods called from elsewhere trap and name
/// the queues (rule Q7), so `connection.queue.async { … }` is the way in. Moving the queue to another thread moves the
/// connection (rule M4). Handlers run on the queue, one at a time.
///
/// *How long it lives.* Once activated, or while bytes are pending, it lives until it is closed, referred to or not;
/// else dropping the last reference closes it. The descriptor is closed exactly once, after the registrations are out
/// of every poller (rule S7), and then the close handler is told why.
///
/// *What it costs.* One system call per `read` and one per `write` that the kernel takes whole. A source for writing
/// is made at the first write that was not, and armed only while bytes are pending. No event allocates.
/// Everything else takes constant time, beside copying the bytes.
public final class Connection: @unchecked Sendable {
  // Sound as Sendable: every variable below is touched on `queue` alone, and each method asserts that; the sources are
  // constant, or set once by an atomic. For the same reason the checks of exclusive access are off: they would be a
  // tenth of what an event costs.

  /// The queue that all its handlers run on. Retarget it to move the connection between threads, live.
  public let queue: SerialQueue
  /// The socket, for options that this module does not set. The connection closes it.
  public var descriptor: CInt { socket.number }
  var system: any SocketSystem { socket.system }

  // Who waits in thousands counts its memory: the small fields stand together, at the end.

  let socket: OpenSocket
  /// Suspended as long as `isReadingHeld`.
  let readSource: ReadinessSource
  /// Made at the first need, because most connections never have one.
  let writeSource = AtomicLazyReference<ReadinessSource>()
  @exclusivity(unchecked) private(set) var existingExtras: Extras?
  /// Kept here until `activate()` hands it to the source.
  @exclusivity(unchecked) var readHandler: (@Sendable (Connection) throws -> Void)?

  /// Who is on the other side; nil where the system does not tell.
  public let peer: SocketAddress?
  let options: ConnectionOptions
  @exclusivity(unchecked) var phase: Phase
  @exclusivity(unchecked) var readHolds: ReadHolds = .noHandler
  @exclusivity(unchecked) var isAboveHighWater = false
  @exclusivity(unchecked) var isWriteSourceArmed = false
  /// Whether the read source was activated.
  @exclusivity(unchecked) private(set) var isWatched = false
  /// How many `suspendReads()` are to be ended.
  @exclusivity(unchecked) var suspensions: UInt32 = 0

  /// Where a connection is in its life; see the picture above.
  enum Phase: UInt8 {
    /// The peer has not answered yet; nobody but `connect` has the object.
    case connecting
    case open
    /// Takes no more bytes; closes when those that are pending are written.
    case finishing
    /// All is written and the peer was told; what it still sends is discarded until it has finished too.
    case lingering
    case closed
  }

  /// What most connections never need, or not for long: an idle one is smaller without it.
  final class Extras {
    var pending = PendingBytes()
    var drainHandler: (@Sendable (Connection) throws -> Void)?
    var connectHandler: (@Sendable (Result<Connection, SocketError>) throws -> Void)?
    /// What ends connecting or lingering if the peer does not, and how long lingering may take.
    var timer: TimerSource?
    var lingering: Duration = .zero
  }

  /// Why the read source is suspended, the user's suspensions apart.
  struct ReadHolds: OptionSet {
    let rawValue: UInt8
    static let backPressure = ReadHolds(rawValue: 1)
    static let endOfStream = ReadHolds(rawValue: 2)
    static let finishing = ReadHolds(rawValue: 4)
    /// Nothing can read: activated without a handler, a level would fire for ever.
    static let noHandler = ReadHolds(rawValue: 8)
  }

  /// Adopts a connected, non-blocking stream socket, which it will close; any thread.
  ///
  /// Set its handlers and activate it on `queue`.
  ///
  /// - Parameters:
  ///   - descriptor: a connected stream socket with `O_NONBLOCK` set.
  ///   - queue: what its handlers run on.
  ///   - peer: who is on the other side, if known.
  ///   - options: how it behaves.
  ///   - system: what answers its calls.
  public convenience init(
    adopting descriptor: CInt, on queue: SerialQueue, peer: SocketAddress? = nil,
    options: ConnectionOptions = .init(), system: any SocketSystem = SocketSystems.kernel
  ) {
    let socket = OpenSocket(adopting: descriptor, system: system)
    self.init(socket, on: queue, peer: peer, options: options, phase: .open)
  }

  init(
    _ socket: OpenSocket, on queue: SerialQueue, peer: SocketAddress?, options: ConnectionOptions, phase: Phase
  ) {
    self.queue = queue
    self.peer = peer
    self.options = options
    self.phase = phase
    self.socket = socket
    readSource = queue.dispatcher.makeReadSource(socket.number, target: queue)
    readSource.suspend()
    socket.owner.begin(self)
    socket.isWatched(by: readSource)
  }

  /// Made at the first need.
  var extras: Extras {
    if let existingExtras { return existingExtras }
    let made = Extras()
    existingExtras = made
    return made
  }

  func dropExtras() { existingExtras = nil }

  /// Sources that have watched the descriptor end with the connection, and their cancel handlers close it. Without any,
  /// nobody else knows the number.
  deinit {
    socket.owner.end()
    if !isWatched && writeSource.load() == nil { socket.close() }
  }

  /// Starts watching for what the peer sends. A second call has no effect. On the queue.
  ///
  /// - Throws: `.registration` if the system refuses (the connection is closed then), `.closed`.
  public func activate() throws(SocketError) {
    queue.assertExecuting()
    guard phase == .open else { throw .closed(subject: description) }
    try watch()
  }

  /// Activates the read source, unless it is active; its handler holds the connection from now on.
  func watch() throws(SocketError) {
    guard !isWatched else { return }
    isWatched = true
    // Without a handler too, the source holds the connection.
    readSource.setEventHandler { [self] _ in withExtendedLifetime(self) {} }
    if let readHandler { installReadHandler(readHandler) }
    readHandler = nil
    try activate(readSource)
  }

  /// Activates a source of this connection; a refusal closes the connection.
  func activate(_ source: ReadinessSource) throws(SocketError) {
    do {
      try source.activate()
    } catch {
      close(.failed(SocketError.registration(error)))
      throw .registration(error)
    }
  }
}

/// The end of a source, by a refusal after a migration too, closes the connection. The source's handlers hold the socket, and
/// not the connection: one that is dropped is to go, its sources with it.
extension Connection: WatchedSocketOwner {
  func sourceWasRefused(_ error: SourceError) { close(.failed(SocketError.registration(error))) }
  func sourceHasEnded() { close(.cancelled) }
}

extension Connection: CustomStringConvertible {
  /// Names the peer and the descriptor; any thread.
  public var description: String {
    "connection to \(peer.map(String.init(describing:)) ?? "an unnamed peer") (descriptor \(descriptor))"
  }
}
