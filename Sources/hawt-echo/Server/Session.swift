import Glibc
import HawtDispatch
import HawtSockets

/// One client of the server: echoes on the connection's queue and notes which threads did so.
final class Session: @unchecked Sendable {
  // Sound as Sendable: `thread` and `threads` are touched on the connection's queue alone, `migrations` on the server's.

  let connection: Connection
  private var thread = pthread_t()
  private(set) var threads: Set<pthread_t> = []

  /// How many migrations took effect.
  var migrations = 0

  init(_ connection: Connection) { self.connection = connection }

  /// On the connection's queue.
  func start() throws {
    connection.setReadHandler { [self] connection in
      noteThread()
      try connection.read { try connection.write($0) }
    }
    try connection.activate()
  }

  /// Answers what was read and closes; any thread.
  func finish(within limit: Duration) {
    connection.queue.async { [connection] in connection.closeAfterWriting(lingering: limit) }
  }

  /// Next to nothing unless the thread has changed.
  private func noteThread() {
    let current = pthread_self()
    guard current != thread else { return }
    thread = current
    threads.insert(current)
  }
}
