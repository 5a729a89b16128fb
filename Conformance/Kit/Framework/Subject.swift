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
  /// What the rules about backends themselves need (B1 to B8).
  let laboratory: Laboratory

  /// Anybody's backend, by its type.
  ///
  /// - Parameters:
  ///   - name: the short name, one word; the first word of the backend's identity if nil.
  ///   - type: the backend.
  public init<B: PollingBackend & ~Copyable>(name: String? = nil, _ type: B.Type) {
    self.name = name ?? B.identity.name.split(separator: " ").first.map(String.init) ?? "unnamed"
    backend = Backend(type)
    laboratory = Laboratory(type)
  }

  /// The name of the backend.
  public var description: String { name }

  /// The backends that this build of the library contains.
  public static var builtIn: [Subject] {
    var subjects: [Subject] = []
    #if Epoll
      subjects.append(Subject(EpollBackend.self))
    #endif
    #if Libevent
      subjects.append(Subject(LibeventBackend.self))
    #endif
    return subjects
  }
}
