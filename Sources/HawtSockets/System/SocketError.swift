import Glibc
public import HawtDispatch

/// What went wrong with a socket: what was asked, what the system said, and what to do about it.
public enum SocketError: Error, Sendable, Hashable {
  /// What was asked of the system.
  public enum Operation: String, Sendable, Hashable, CaseIterable {
    case open, bind, accept
    case listen = "listen at"
    case connect = "connect to"
    case read = "read from"
    case write = "write to"
    case setOption = "set an option of"
    case inspect = "look up the address of"
  }

  /// The system refused `operation` on `subject` (an address or a descriptor) with `errno`.
  case system(Operation, subject: String, errno: CInt)
  /// The text is no address that this module takes.
  case invalidAddress(String, why: String)
  /// The dispatcher could not watch the descriptor.
  case registration(SourceError)
  /// The peer did not answer in time.
  case timedOut(subject: String, after: Duration)
  /// The connection or socket is closed, or takes nothing more because `closeAfterWriting()` was called.
  case closed(subject: String)

  /// The system's error number, if it was the system that refused.
  public var errno: CInt? {
    if case .system(_, _, let code) = self { code } else { nil }
  }
}

extension SocketError: CustomStringConvertible {
  /// What was asked, what the system said, and what to do about it.
  public var description: String {
    switch self {
    case .system(let operation, let subject, let code):
      "could not \(operation.rawValue) \(subject): \(String(cString: strerror(code))) (errno \(code)); \(remedy(code))"
    case .invalidAddress(let text, let why):
      "'\(text)' is no socket address: \(why)"
    case .registration(let error):
      "the socket could not be watched: \(error)"
    case .timedOut(let subject, let time):
      "\(subject) did not answer within \(time): check that it is up and reachable, or allow more time"
    case .closed(let subject):
      "\(subject) is closed for this: make a new one"
    }
  }

  private func remedy(_ code: CInt) -> String {
    switch code {
    case EMFILE, ENFILE: "close some descriptors or raise the limit (ulimit -n)"
    case ENOBUFS, ENOMEM: "the kernel is short of memory for sockets: try again later"
    case EADDRINUSE: "another socket has it: choose another port, or remove the left-over Unix path"
    case EADDRNOTAVAIL: "this machine has no such address: choose one of its own"
    case EACCES, EPERM: "ports below 1024 and some paths need privileges: choose another"
    case ECONNREFUSED: "nobody listens there: start the server first, check address and port"
    case EAGAIN: "the listener's backlog is full: try again later"
    case ECONNRESET, EPIPE: "the peer closed it: connect anew"
    case ENETUNREACH, EHOSTUNREACH: "there is no route: check the network"
    case ENOENT: "no such path: create it, or start what listens there"
    case EMSGSIZE: "the datagram is too long: send less at once"
    case ENOTSOCK, EBADF: "the descriptor is no open socket: it was closed behind the owner's back"
    default: "see errno(3) for the number"
    }
  }
}
