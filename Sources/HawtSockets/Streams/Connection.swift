public import HawtDispatch

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
/// *How long it lives.* Once activated it lives until it is closed, referred to or not; if it was never activated,
/// dropping the last reference closes it. The descriptor is closed exactly once, after the registrations are out of
/// every poller (rule S7), and then the close handler is told why.
///
/// *What it costs.* One system call per `read` and one per `write` that the kernel takes whole. A source for writing
/// is made at the first write that was not, and armed only while bytes are pending. No event allocates.
public final class Connection: @unchecked Sendable {
  // Sound as Sendable: every variable below is touched on `queue` alone, and each method asserts that. For the same
  // reason the checks of exclusive access are off: they would be a tenth of what an event costs.

  /// The queue that all its handlers run on. Retarget it to move the connection between threads, live.
  public let queue: SerialQueue
  /// Who is on the other side; nil where the system does not tell.
  public let peer: SocketAddress?
  /// The socket, for options that this module does not set. The connection closes it.
  public let descriptor: CInt

  let system: any SocketSystem
  let options: ConnectionOptions

  @exclusivity(unchecked) var phase: Phase
  @exclusivity(unchecked) var readHolds: ReadHolds = []
  /// How many `suspendReads()` are to be ended.
  @exclusivity(unchecked) var suspensions: UInt32 = 0
  @exclusivity(unchecked) var isAboveHighWater = false
  @exclusivity(unchecked) var isWriteSourceArmed = false
  @exclusivity(unchecked) var readSource: ReadinessSource?
  @exclusivity(unchecked) var writeSource: ReadinessSource?
  /// Kept here until `activate()` hands it to the source.
  @exclusivity(unchecked) var readHandler: (@Sendable (Connection) throws -> Void)?
  @exclusivity(unchecked) var closeHandler: (@Sendable (CloseReason) throws -> Void)?
  @exclusivity(unchecked) private(set) var existingExtras: Extras?

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
    var timer: TimerHandle?
    var lingering: Duration = .zero
  }

  /// Why the read source is suspended, the user's suspensions apart.
  struct ReadHolds: OptionSet {
    let rawValue: UInt8
    static let backPressure = ReadHolds(rawValue: 1)
    static let endOfStream = ReadHolds(rawValue: 2)
    static let finishing = ReadHolds(rawValue: 4)
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
    let owned = OwnedDescriptor(adopting: descriptor, system: system)
    self.init(owned, on: queue, peer: peer, options: options, phase: .open)
  }

  init(
    _ owned: consuming OwnedDescriptor, on queue: SerialQueue, peer: SocketAddress?, options: ConnectionOptions,
    phase: Phase
  ) {
    self.queue = queue
    self.peer = peer
    self.options = options
    self.phase = phase
    system = owned.system
    descriptor = owned.release()
  }

  /// Made at the first need.
  var extras: Extras {
    if let existingExtras { return existingExtras }
    let made = Extras()
    existingExtras = made
    return made
  }

  func dropExtras() { existingExtras = nil }

  /// Handlers of active sources hold the connection, so nothing watches the descriptor any more when this runs.
  deinit {
    if phase != .closed { system.close(descriptor) }
  }

  /// Starts watching for what the peer sends. A second call has no effect. On the queue.
  ///
  /// - Throws: `.registration` if the system refuses (the connection is closed then), `.closed`.
  public func activate() throws(SocketError) {
    queue.assertExecuting()
    guard phase == .open else { throw .closed(subject: description) }
    try watch()
  }

  /// Makes and activates the read source, unless there is one.
  func watch() throws(SocketError) {
    guard readSource == nil else { return }
    let source = queue.dispatcher.makeReadSource(descriptor, target: queue)
    installReadHandler(readHandler, on: source)
    readHandler = nil
    if isReadingHeld { source.suspend() }
    readSource = source
    try activate(source)
  }

  /// Activates a source of this connection; a refusal, now or after a migration, closes the connection.
  func activate(_ source: ReadinessSource) throws(SocketError) {
    source.setErrorHandler { [self] error in close(.failed(SocketError.registration(error))) }
    do {
      try source.activate()
    } catch {
      close(.failed(SocketError.registration(error)))
      throw .registration(error)
    }
  }
}

extension Connection: CustomStringConvertible {
  /// Names the peer and the descriptor; any thread.
  public var description: String {
    "connection to \(peer.map(String.init(describing:)) ?? "an unnamed peer") (descriptor \(descriptor))"
  }
}
