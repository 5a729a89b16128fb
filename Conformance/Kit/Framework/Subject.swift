public import HawtDispatch

/// What is being verified: a backend under the name that reports give it.
public struct Subject: Sendable, CustomStringConvertible {
  /// The short name: `epoll`, `libevent`.
  public let name: String
  /// The backend that dispatchers are made with; nil: the library's default.
  public let backend: Backend?

  public init(name: String, backend: Backend?) {
    self.name = name
    self.backend = backend
  }

  public var description: String { name }

  /// The backends that this build of the library contains.
  public static var builtIn: [Subject] {
    var subjects: [Subject] = []
    #if Epoll
      subjects.append(Subject(name: "epoll", backend: nil))
    #endif
    #if Libevent
      subjects.append(Subject(name: "libevent", backend: nil))
    #endif
    return subjects
  }
}
