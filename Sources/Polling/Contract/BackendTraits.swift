/// What a backend cannot do for the shared code, or spares it. The default of a backend is the careful answer.
public struct BackendTraits: OptionSet, Sendable, Hashable {
  /// The traits as bits.
  public let rawValue: UInt8

  /// Makes traits from their bits.
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// The backend finds a registration by the descriptor's number, not by the token that the kernel carries.
  ///
  /// A report that belongs to a file which was closed, but lives on in a duplicate, then looks like one of whatever has
  /// the number now, and no token gives it away. The poller therefore asks the system who is behind the number whenever it
  /// has changed a registration, and builds the kernel's set anew if it is another (rule `S8`).
  public static let identifiesByDescriptor = BackendTraits(rawValue: 1)

  /// Destroying the backend in a forked child leaves the parent's registrations alone (rule `S9`).
  ///
  /// Closing an epoll descriptor is harmless; deregistering one by one, as libevent does, is not, because parent and
  /// child share the kernel's set. Without this trait a child leaks the backend.
  public static let harmlessAfterFork = BackendTraits(rawValue: 2)
}
