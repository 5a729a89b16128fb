public import HawtDispatch

#if Epoll
  import PollingEpoll
#endif
#if Libevent
  import PollingLibevent
#endif

/// What is being verified: a backend under the name that reports give it.
public struct Subject: Sendable, CustomStringConvertible {
  /// The short name: `epoll`, `libevent`.
  public let name: String
  /// The backend that dispatchers are made with.
  public let backend: Backend

  public init(name: String, backend: Backend) {
    self.name = name
    self.backend = backend
  }

  public var description: String { name }

  /// The backends that this build of the library contains.
  public static var builtIn: [Subject] {
    var subjects: [Subject] = []
    #if Epoll
      subjects.append(Subject(name: "epoll", backend: Backend(EpollBackend.self)))
    #endif
    #if Libevent
      subjects.append(Subject(name: "libevent", backend: Backend(LibeventBackend.self)))
    #endif
    return subjects
  }
}
