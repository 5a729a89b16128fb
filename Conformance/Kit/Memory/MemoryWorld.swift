import Glibc
import Polling

/// Descriptors that exist in memory alone: what a kernel would say of connections, in the plainest words that are right.
///
/// Nothing in it depends on time, threads or the system, so whatever is done to it comes out the same each time.
final class MemoryWorld {
  /// The near end of a connection, and what its peer has done.
  struct File {
    let kind: ConnectionKind
    var hasBytes = false
    var isFull = false
    var peerHasEnded = false
    var peerHasClosed = false

    /// A pipe's reading end never has room, and a peer that is gone is both directions (rule B1).
    var readiness: Interest {
      if peerHasClosed { return [.read, .write] }
      var ready: Interest = hasBytes || peerHasEnded ? .read : []
      if kind == .stream && !isFull { ready.insert(.write) }
      return ready
    }
  }

  /// What is open, by number; numbers are given away in order, and never again.
  private var files: [CInt: File] = [:]
  private var nextNumber: CInt = 10

  func open(_ kind: ConnectionKind) -> CInt {
    defer { nextNumber += 1 }
    files[nextNumber] = File(kind: kind)
    return nextNumber
  }

  func change(_ number: CInt, _ body: (inout File) -> Void) {
    if files[number] != nil { body(&files[number]!) }
  }

  /// The error of registering a number, if there is one.
  func refusal(of number: CInt) -> CInt? { files[number] == nil ? EBADF : nil }

  func readiness(of number: CInt) -> Interest { files[number]?.readiness ?? [] }
}

/// The sorts of connection that raw histories use.
enum ConnectionKind: Sendable, CaseIterable {
  case stream, pipe
}
