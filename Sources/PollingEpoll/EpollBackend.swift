internal import CLinux
internal import Glibc
public import Polling

/// The native Linux backend: epoll, level-triggered, one descriptor of its own.
///
/// The kernel carries the token, so a report of a registration that is gone is recognised. Only `EPOLLIN` and `EPOLLOUT`
/// are ever asked for: `EPOLLRDHUP` would be a third kind of readiness that the other backends tell differently.
public struct EpollBackend: PollingBackend, ~Copyable {
  private let epoll: CInt
  private var events: UnsafeMutablePointer<epoll_event>?
  private var capacity = 0

  /// `epoll`.
  public static var identity: BackendIdentity { BackendIdentity("epoll") }

  /// The token identifies a registration, and closing the descriptor in a child takes nothing out of the parent's set.
  public static var traits: BackendTraits { .harmlessAfterFork }

  /// Makes an empty, close-on-exec epoll descriptor.
  ///
  /// - Throws: EMFILE, ENFILE or ENOMEM, with operation `create`.
  public init() throws(BackendError) {
    let created = epoll_create1(hawt_epoll_cloexec)
    guard created >= 0 else { throw BackendError(.create, code: errno) }
    epoll = created
  }

  deinit {
    close(epoll)
    events?.deallocate()
  }

  /// Registers a descriptor; one `epoll_ctl` (rule `B4`).
  public mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest
  ) throws(BackendError) {
    guard !enter(descriptor, token, interest) else { return }
    throw BackendError(.add, descriptor: descriptor, code: errno)
  }

  /// Changes, takes out or puts back a descriptor; one `epoll_ctl` (rule `B2`).
  public mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    let succeeded =
      if old.isEmpty {
        enter(descriptor, token, new)
      } else {
        control(new.isEmpty ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, descriptor, token, new)
      }
    guard !succeeded else { return }
    throw BackendError(.change, descriptor: descriptor, code: errno)
  }

  /// Takes a descriptor out; one `epoll_ctl`, whose failure means that it was closed.
  public mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    guard !interest.isEmpty else { return }
    _ = control(EPOLL_CTL_DEL, descriptor, token, [])
  }

  /// One `epoll_wait`, repeated if a signal interrupts it (rule `B7`).
  public mutating func wait(
    _ mode: WaitMode, into ready: inout ReadyBuffer
  ) throws(BackendError) {
    let events = room(for: ready.remaining)
    var count: CInt
    repeat {
      count = epoll_wait(epoll, events, CInt(ready.remaining), mode == .now ? 0 : -1)
    } while count < 0 && errno == EINTR
    guard count >= 0 else { throw BackendError(.wait, code: errno) }
    for position in 0..<Int(count) {
      ready.append(
        Token(rawValue: events[position].data.u64), Self.readiness(events[position].events))
    }
  }

  /// Both directions for an error or a hang-up (rule `B1`); the poller cuts down to what was asked.
  private static func readiness(_ mask: UInt32) -> Interest {
    if mask & (hawt_epoll_err | hawt_epoll_hup) != 0 { return [.read, .write] }
    return Interest(
      rawValue: (mask & hawt_epoll_in != 0 ? 1 : 0) | (mask & hawt_epoll_out != 0 ? 2 : 0))
  }

  /// Puts a descriptor into the kernel's set. The set may still have it, if the number belonged to another file for a
  /// while: it is taken over then, under the new token.
  private func enter(_ descriptor: CInt, _ token: Token, _ interest: Interest) -> Bool {
    if control(EPOLL_CTL_ADD, descriptor, token, interest) { return true }
    return errno == EEXIST && control(EPOLL_CTL_MOD, descriptor, token, interest)
  }

  private func control(
    _ operation: CInt, _ descriptor: CInt, _ token: Token, _ interest: Interest
  ) -> Bool {
    var event = epoll_event()
    if interest.contains(.read) { event.events |= hawt_epoll_in }
    if interest.contains(.write) { event.events |= hawt_epoll_out }
    event.data.u64 = token.rawValue
    return epoll_ctl(epoll, operation, descriptor, &event) == 0
  }

  /// Storage for a wait's events, allocated by the first wait and kept.
  private mutating func room(for count: Int) -> UnsafeMutablePointer<epoll_event> {
    if let events, capacity >= count { return events }
    events?.deallocate()
    let fresh = UnsafeMutablePointer<epoll_event>.allocate(capacity: count)
    events = fresh
    capacity = count
    return fresh
  }
}
