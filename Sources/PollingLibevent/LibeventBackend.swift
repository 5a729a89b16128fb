#if Libevent
  internal import CLibevent
  public import Polling

  /// libevent's `event_base` over epoll, as a source of readiness and nothing else.
  ///
  /// libevent finds a registration by its descriptor's number, and destroying a base takes out each registration by number:
  /// hence neither trait of the native backend.
  public struct LibeventBackend: PollingBackend, ~Copyable {
    private var base: LibeventBase

    /// libevent's version and the system call under it.
    public static var identity: BackendIdentity {
      BackendIdentity("libevent \(String(cString: event_get_version())) (epoll)")
    }

    /// As many as libevent takes from epoll at once: it doubles its own buffer up to that, and runs through all of it before
    /// it returns, so what did not fit here would be asked for again and again.
    public static var eventsPerWait: Int { 4096 }

    /// Makes an empty event base; its descriptors are close-on-exec.
    ///
    /// - Throws: EMFILE and the like, or ENOTSUP if this libevent is not built with epoll, with operation `create`.
    public init() throws(BackendError) {
      base = try LibeventBase(method: "epoll", avoiding: ["poll", "select"])
    }

    /// Registers a descriptor; one `epoll_ctl` a direction (rule `B4`).
    public mutating func add(
      _ descriptor: CInt, _ token: Token, _ interest: Interest
    ) throws(BackendError) {
      try base.add(descriptor, token, interest)
    }

    /// Changes, takes out or puts back a descriptor; one `epoll_ctl` for each direction that changes (rule `B2`).
    public mutating func change(
      _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
    ) throws(BackendError) {
      try base.change(descriptor, token, from: old, to: new)
    }

    /// Takes a descriptor out; one `epoll_ctl` a direction.
    public mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
      base.remove(token)
    }

    /// One turn of libevent's loop (rules `B5`, `B7`).
    public mutating func wait(
      _ mode: WaitMode, into ready: inout ReadyBuffer
    ) throws(BackendError) {
      try base.wait(mode, into: &ready)
    }
  }
#endif
