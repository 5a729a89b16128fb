public import HawtDispatch
import Polling

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
  /// Where the backend is known to be unlike the rules.
  public let knownDifferences: [KnownDifference]
  /// What the rules about backends themselves need (B1 to B8).
  let laboratory: Laboratory

  /// Anybody's backend, by its type.
  ///
  /// - Parameters:
  ///   - name: the short name, one word; the first word of the backend's identity if nil.
  ///   - type: the backend.
  ///   - knownDifferences: where it is known to be unlike the rules; none, for a backend that conforms.
  public init<B: PollingBackend & ~Copyable>(
    name: String? = nil, _ type: B.Type, knownDifferences: [KnownDifference] = []
  ) {
    self.knownDifferences = knownDifferences
    self.name = name ?? B.identity.name.split(separator: " ").first.map(String.init) ?? "unnamed"
    backend = Backend(type)
    laboratory = Laboratory(type)
  }

  private init(_ other: Subject, knownDifferences: [KnownDifference]) {
    name = other.name
    backend = other.backend
    laboratory = other.laboratory
    self.knownDifferences = knownDifferences
  }

  /// The same backend, with other differences declared.
  public func declaring(_ differences: [KnownDifference]) -> Subject { Subject(self, knownDifferences: differences) }

  /// The backend's own name for itself, "libevent 2.1.12 (epoll)".
  public var identity: String { laboratory.identity.name }

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

  /// The built-in backends, and one that is no choice of the library's but shows that the protocol is not epoll's shape:
  /// libevent with its `poll` method.
  public static var all: [Subject] {
    var subjects = builtIn
    #if Libevent
      subjects.append(
        Subject(name: "libevent-poll", LibeventPollBackend.self, knownDifferences: KnownDifference.ofLibeventOnPoll))
    #endif
    return subjects
  }
}
