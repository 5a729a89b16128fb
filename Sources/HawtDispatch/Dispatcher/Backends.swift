#if Epoll
  private import PollingEpoll
#endif
#if Libevent
  private import PollingLibevent
#endif

#if !Epoll && !Libevent
  #error("HawtDispatch needs a backend: enable the trait Epoll (on by default), Libevent, or both")
#endif

extension Backend {
  #if Epoll
    /// The native Linux backend. Built in with the trait `Epoll`, which is on by default.
    public static let epoll = Backend(EpollBackend.self)
  #endif

  #if Libevent
    /// The libevent backend. Built in with the trait `Libevent`.
    public static let libevent = Backend(LibeventBackend.self)
  #endif

  /// What a dispatcher has if none is named: libevent with the trait `LibeventDefault` or when it alone is built in,
  /// epoll otherwise.
  public static var `default`: Backend {
    #if LibeventDefault || !Epoll
      return .libevent
    #else
      return .epoll
    #endif
  }

  /// Those that the traits chose, the default one first.
  public static var builtIn: [Backend] {
    var all: [Backend] = [.default]
    #if Epoll && Libevent
      #if LibeventDefault
        all.append(.epoll)
      #else
        all.append(.libevent)
      #endif
    #endif
    return all
  }
}
