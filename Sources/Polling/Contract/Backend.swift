/// A choice of backend: a value that knows how to make pollers of one kind, and hides which.
///
/// ```swift
/// let backend = Backend(MyBackend.self)
/// ```
public struct Backend: Sendable {
  /// The name of the backend that was chosen.
  public let identity: BackendIdentity

  private let make: @Sendable (Int?) throws(BackendError) -> Poller

  /// Chooses a backend by its type; anyone's own type will do.
  public init<B: PollingBackend & ~Copyable>(_ type: B.Type) {
    identity = B.identity
    make = { (eventsPerWait) throws(BackendError) in
      try BackendPoller<B>(eventsPerWait: eventsPerWait ?? B.eventsPerWait)
    }
  }

  /// Makes a poller with nothing registered.
  ///
  /// - Parameter eventsPerWait: The most reports that one wait brings; a wait that fills it leaves the rest to the next. Nil:
  ///   what the backend asks for.
  package func makePoller(eventsPerWait: Int? = nil) throws(BackendError) -> Poller {
    try make(eventsPerWait)
  }
}

extension Backend: CustomStringConvertible {
  /// The backend's name.
  public var description: String { identity.name }
}
