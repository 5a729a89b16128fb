#if Libevent
  internal import CLibevent
  internal import Glibc
  public import Polling

  /// libevent's `event_base` over `poll(2)`: a backend as unlike epoll as this system has, to compare the others with.
  ///
  /// `poll(2)` takes regular files and directories for ready at all times. They are refused here as epoll would, so that
  /// errors are alike (rule `B8`); some special files that epoll refuses are still accepted. A wait is O(registrations).
  public struct LibeventPollBackend: PollingBackend, ~Copyable {
    private var base: LibeventBase

    /// libevent's version and the system call under it.
    public static var identity: BackendIdentity {
      BackendIdentity("libevent \(String(cString: event_get_version())) (poll)")
    }

    /// Makes an empty event base; its descriptors are close-on-exec.
    ///
    /// - Throws: EMFILE and the like, or ENOTSUP if this libevent is not built with poll, with operation `create`.
    public init() throws(BackendError) {
      base = try LibeventBase(method: "poll", avoiding: ["epoll", "select"])
    }

    /// Registers a descriptor; one system call to see what it is (rule `B4`).
    public mutating func add(
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
      try base.add(descriptor, token, interest)
    }

    /// Changes, takes out or puts back a descriptor; one system call to see that it is still open (rule `B2`).
    public mutating func change(
      _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
    ) throws(BackendError) {
      guard fcntl(descriptor, F_GETFD) >= 0 else {
        throw BackendError(.change, descriptor: descriptor, code: errno)
      }
      try base.change(descriptor, token, from: old, to: new)
    }

    /// Takes a descriptor out; no system call.
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
