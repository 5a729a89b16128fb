import Glibc
import HawtDispatch
import HawtSockets

/// An echo server whose books (who is connected, how often they migrated) are kept on one serial queue, without locks.
final class EchoServer: @unchecked Sendable {
  // Sound as Sendable: all variables are touched on `queue` alone.

  /// How long clients may take to fetch their answers while the server stops, how long closing may take for those that do
  /// not, and how long the dispatcher may take after that: 2 seconds together, with something to spare.
  static let stopLimit: Duration = .milliseconds(1400)
  static let closeLimit: Duration = .milliseconds(200)
  static let shutdownLimit: Duration = .milliseconds(300)

  /// Accepts, and keeps the books.
  let queue: SerialQueue
  private let dispatcher: Dispatcher
  private let style: Style
  private let stopped: @Sendable () -> Void
  private var listener: Listener?
  private var sessions: [ObjectIdentifier: Session] = [:]
  /// How many were accepted and are not among `sessions` yet: they may have read something already.
  private var arriving = 0
  private var ended = Tally()
  private var nextWorker = 0
  private var isStopping = false
  /// Ends stopping if the clients do not.
  private var stopTimer: TimerHandle?
  private var isStopped = false

  /// - Parameter stopped: called once, on a worker, when `stop()` is done.
  init(on dispatcher: Dispatcher, style: Style, stopped: @escaping @Sendable () -> Void) {
    queue = dispatcher.makeSerialQueue(label: "server")
    self.dispatcher = dispatcher
    self.style = style
    self.stopped = stopped
  }

  /// Listens and accepts; returns where. For the main thread.
  func start(at address: SocketAddress) throws -> SocketAddress {
    try queue.sync { [self] in
      let listener = try Listener(
        address, on: queue, connectionQueue: { [self] in try makeQueue() }, onError: { Output.error("\($0)") }
      ) { [self] in try serve($0) }
      try listener.activate()
      self.listener = listener
      return listener.address
    }
  }

  /// Stops accepting, lets every connection write what it owes, and calls `stopped`. Any thread, any number of times.
  func stop() {
    queue.async { [self] in
      guard !isStopping else { return }
      isStopping = true
      listener?.cancel()
      listener = nil
      for session in sessions.values { session.finish(within: Self.stopLimit) }
      stopTimer = queue.asyncAfter(Self.stopLimit) { [self] in abandonSessions() }
      finishStoppingIfAllEnded()
    }
  }

  /// Whoever has not taken its answers in time goes without.
  private func abandonSessions() {
    for session in sessions.values { session.connection.cancel() }
    stopTimer = queue.asyncAfter(Self.closeLimit) { [self] in finishStopping() }
  }

  private func finishStoppingIfAllEnded() {
    if isStopping && sessions.isEmpty && arriving == 0 { finishStopping() }
  }

  private func finishStopping() {
    guard !isStopped else { return }
    isStopped = true
    stopTimer?.cancel()
    stopped()
  }

  /// The queue of the next connection: its target alone tells the styles apart.
  private func makeQueue() throws -> SerialQueue {
    let workers = dispatcher.threadQueues
    nextWorker = (nextWorker + 1) % workers.count
    let made =
      try style == .reactor
      ? dispatcher.makeSerialQueue(label: "connection", target: workers[nextWorker])
      : dispatcher.makeSerialQueue(label: "connection")
    arriving += 1
    return made
  }

  /// Runs on the connection's queue.
  private func serve(_ connection: Connection) throws {
    let session = Session(connection)
    queue.async { [self] in
      arriving -= 1
      sessions[ObjectIdentifier(session)] = session
      if isStopping { session.finish(within: Self.stopLimit) }
    }
    connection.setCloseHandler { [self] _ in
      let threads = session.threads
      queue.async { [self] in
        ended.add(migrations: session.migrations, threads: threads)
        sessions[ObjectIdentifier(session)] = nil
        finishStoppingIfAllEnded()
      }
    }
    try session.start()
  }
}

/// What the demonstration asks of a running server.
extension EchoServer {
  /// Gives every live connection the next worker and calls `done` on `queue` with how many have moved.
  func migrate(_ done: @escaping @Sendable (_ moved: Int) -> Void) {
    queue.async { [self] in
      let workers = dispatcher.threadQueues
      let round = Round(count: sessions.count, done: done)
      for session in sessions.values {
        let queue = session.connection.queue
        let next = ((queue.pinnedWorker ?? 0) + 1) % workers.count
        try queue.setTarget(workers[next]) { [self] outcome in
          self.queue.async {
            if outcome == .effective { session.migrations += 1 }
            round.add(outcome == .effective ? 1 : 0)
          }
        }
      }
      round.finishIfEmpty()
    }
  }

  /// Asks every live connection which threads ran it, and calls `done` on `queue` with the books.
  func tally(_ done: @escaping @Sendable (Tally) -> Void) {
    queue.async { [self] in
      let books = Books(ended)
      let round = Round(count: sessions.count) { _ in done(books.tally) }
      for session in sessions.values {
        session.connection.queue.async { [self] in
          let threads = session.threads
          queue.async {
            books.tally.add(migrations: session.migrations, threads: threads)
            round.add(1)
          }
        }
      }
      round.finishIfEmpty()
    }
  }
}

/// A tally that tasks of the server's queue add to.
private final class Books: @unchecked Sendable {
  // Sound as Sendable: touched on the server's queue alone.
  var tally: Tally
  init(_ tally: Tally) { self.tally = tally }
}

/// Counts answers down, on the server's queue, and adds up what they say.
private final class Round: @unchecked Sendable {
  // Sound as Sendable: touched on the server's queue alone.
  private var missing: Int
  private var sum = 0
  private let done: @Sendable (Int) -> Void

  init(count: Int, done: @escaping @Sendable (Int) -> Void) {
    missing = count
    self.done = done
  }

  func add(_ value: Int) {
    sum += value
    missing -= 1
    finishIfEmpty()
  }

  func finishIfEmpty() {
    if missing == 0 { done(sum) }
  }
}
