import Glibc
import HawtDispatch

@testable import BrokenBackends

/// Whoever registers a socket is kept for as long as the test wants.
struct Detaining: Flaw {
  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK { detention() }
    try base.add(descriptor, token, interest)
  }
}

/// How often a backend is wrong.
protocol Habit {
  /// Of so many times once.
  static var period: Int { get }
}

enum EachTime: Habit { static var period: Int { 1 } }
/// No two plays of a history begin at the same count, so it shows now and then.
enum EachThirdTime: Habit { static var period: Int { 3 } }

/// A backend over `poll(2)` with one fault: a direction that was disarmed is never armed again, each time or not.
struct ForgetfulBackend<How: Habit>: PollingBackend, ~Copyable {
  private var registrations: [CInt: (token: Token, interest: Interest)] = [:]
  private var armings = 0

  static var identity: BackendIdentity { BackendIdentity("forgetful") }

  init() throws(BackendError) {}

  mutating func add(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw BackendError(.add, descriptor: descriptor, code: errno) }
    guard ![S_IFREG, S_IFDIR, S_IFCHR].contains(status.st_mode & S_IFMT) else {
      throw BackendError(.add, descriptor: descriptor, code: EPERM)
    }
    registrations[descriptor] = (token, interest)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    let arms = !new.isSubset(of: old)
    if arms { armings += 1 }
    // The fault: what comes anew is cut out.
    let forgets = arms && armings % How.period == 0
    registrations[descriptor]?.interest = forgets ? old.intersection(new) : new
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    registrations[descriptor] = nil
  }

  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    var polled = registrations.filter { !$0.value.interest.isEmpty }.map { descriptor, registration in
      let read = registration.interest.contains(.read) ? POLLIN : 0
      let write = registration.interest.contains(.write) ? POLLOUT : 0
      return pollfd(fd: descriptor, events: Int16(read | write), revents: 0)
    }
    while poll(&polled, nfds_t(polled.count), mode == .now ? 0 : -1) < 0 {
      guard errno == EINTR else { throw BackendError(.wait, code: errno) }
    }
    for entry in polled where entry.revents != 0 && ready.remaining > 0 {
      guard let registration = registrations[entry.fd] else { continue }
      let events = CInt(entry.revents)
      var found: Interest = events & (POLLERR | POLLHUP) != 0 ? [.read, .write] : []
      if events & POLLIN != 0 { found.insert(.read) }
      if events & POLLOUT != 0 { found.insert(.write) }
      ready.append(registration.token, found.intersection(registration.interest))
    }
  }
}
