import Glibc
import Polling

/// A backend as somebody else would write one, against nothing but the public protocol: `poll(2)` over a dictionary.
struct ThirdPartyBackend: PollingBackend, ~Copyable {
  private struct Registration {
    var token: Token
    var interest: Interest
  }

  private var registrations: [CInt: Registration] = [:]

  static var identity: BackendIdentity { BackendIdentity("poll(2)") }

  init() throws(BackendError) {}

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest
  ) throws(BackendError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw BackendError(.add, descriptor: descriptor, code: errno)
    }
    let kind = status.st_mode & S_IFMT
    guard kind != S_IFREG && kind != S_IFDIR else {
      throw BackendError(.add, descriptor: descriptor, code: EPERM)
    }
    registrations[descriptor] = Registration(token: token, interest: interest)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    guard fcntl(descriptor, F_GETFD) >= 0 else {
      throw BackendError(.change, descriptor: descriptor, code: errno)
    }
    registrations[descriptor] = new.isEmpty ? nil : Registration(token: token, interest: new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    registrations[descriptor] = nil
  }

  mutating func wait(
    _ mode: WaitMode, into ready: inout ReadyBuffer
  ) throws(BackendError) {
    var polled = registrations.map { descriptor, registration in
      var events: CInt = 0
      if registration.interest.contains(.read) { events |= POLLIN }
      if registration.interest.contains(.write) { events |= POLLOUT }
      return pollfd(fd: descriptor, events: Int16(events), revents: 0)
    }
    // The order is random per process, not per wait: taking turns needs a new start each time.
    polled.shuffle()
    var count: CInt
    repeat {
      count = poll(&polled, nfds_t(polled.count), mode == .now ? 0 : -1)
    } while count < 0 && errno == EINTR
    guard count >= 0 else { throw BackendError(.wait, code: errno) }
    for entry in polled where entry.revents != 0 {
      ready.append(registrations[entry.fd]!.token, Self.readiness(CInt(entry.revents)))
    }
  }

  private static func readiness(_ events: CInt) -> Interest {
    // A descriptor that was closed is out of the set for the other backends; poll(2) calls it POLLNVAL.
    if events & (POLLERR | POLLHUP) != 0 { return [.read, .write] }
    var readiness: Interest = []
    if events & POLLIN != 0 { readiness.insert(.read) }
    if events & POLLOUT != 0 { readiness.insert(.write) }
    return readiness
  }
}
