import Glibc
public import Polling

/// A backend over `poll(2)`, written against nothing but the public protocol. A wait costs O(registrations).
public struct PollBackend: PollingBackend, ~Copyable {
  private struct Registration {
    var token: Token
    var interest: Interest
  }

  /// What is watched; an empty interest is not (rule B2).
  private var registrations: [CInt: Registration] = [:]
  /// Who comes first changes from wait to wait, so that a small buffer is no privilege (rule B5).
  private var turn = 0

  /// `poll`.
  public static var identity: BackendIdentity { BackendIdentity("poll") }

  /// Makes a backend with nothing registered; it takes nothing from the system.
  public init() throws(BackendError) {}

  /// Registers a descriptor; one system call to see what it is (rule B4).
  public mutating func add(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw BackendError(.add, descriptor: descriptor, code: errno) }
    // poll(2) takes files and directories for ready at all times; the library's users are promised an error.
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFREG && kind != S_IFDIR else {
      throw BackendError(.add, descriptor: descriptor, code: EPERM)
    }
    registrations[descriptor] = Registration(token: token, interest: interest)
  }

  /// Replaces an interest; one system call to see that the descriptor is still open.
  public mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    guard fcntl(descriptor, F_GETFD) >= 0 else { throw BackendError(.change, descriptor: descriptor, code: errno) }
    registrations[descriptor] = new.isEmpty ? nil : Registration(token: token, interest: new)
  }

  /// Takes a descriptor out; no system call.
  public mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    registrations[descriptor] = nil
  }

  /// One `poll(2)`, repeated until there is something to report if that is asked for.
  public mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    repeat {
      var entries = registrations.map { descriptor, registration in
        pollfd(fd: descriptor, events: Self.events(registration.interest), revents: 0)
      }
      let count = poll(&entries, nfds_t(entries.count), mode == .now ? 0 : -1)
      guard count >= 0 || errno == EINTR else { throw BackendError(.wait, code: errno) }
      if count > 0 { report(entries, into: &ready) }
      // A signal, and numbers that were closed, are nothing to come back with (rule B7).
    } while mode == .untilReady && ready.count == 0
  }

  private mutating func report(_ entries: [pollfd], into ready: inout ReadyBuffer) {
    turn += 1
    for index in entries.indices {
      let entry = entries[(index + turn) % entries.count]
      guard entry.revents != 0, let registration = registrations[entry.fd] else { continue }
      // Closed without being taken out: other backends have forgotten it by then.
      if CInt(entry.revents) & POLLNVAL != 0 {
        registrations[entry.fd] = nil
      } else {
        ready.append(registration.token, Self.readiness(CInt(entry.revents)))
      }
    }
  }

  private static func events(_ interest: Interest) -> Int16 {
    Int16((interest.contains(.read) ? POLLIN : 0) | (interest.contains(.write) ? POLLOUT : 0))
  }

  /// Errors and hang-ups are both directions (rule B1).
  private static func readiness(_ events: CInt) -> Interest {
    if events & (POLLERR | POLLHUP) != 0 { return [.read, .write] }
    return Interest(rawValue: (events & POLLIN != 0 ? 1 : 0) | (events & POLLOUT != 0 ? 2 : 0))
  }
}
