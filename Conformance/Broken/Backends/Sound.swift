import Polling

#if Epoll
  import PollingEpoll
  private typealias BuiltIn = EpollBackend
#else
  import PollingLibevent
  private typealias BuiltIn = LibeventBackend
#endif

/// What every broken backend would be without its flaw: the first of the library's that is built in.
struct Sound: PollingBackend, ~Copyable {
  private var base: BuiltIn

  static var identity: BackendIdentity { BuiltIn.identity }
  static var traits: BackendTraits { BuiltIn.traits }

  init() throws(BackendError) { base = try BuiltIn() }

  mutating func add(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError) {
    try base.add(descriptor, token, interest)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    try base.change(descriptor, token, from: old, to: new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    base.remove(descriptor, token, from: interest)
  }

  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    try base.wait(mode, into: &ready)
  }
}
