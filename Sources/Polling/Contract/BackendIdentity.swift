/// The name under which a backend appears in reports and error messages.
public struct BackendIdentity: Sendable, Hashable, CustomStringConvertible {
  /// The name, such as `epoll` or `libevent 2.1.12 (epoll)`.
  public let name: String

  /// Names a backend.
  public init(_ name: String) {
    self.name = name
  }

  /// The name.
  public var description: String { name }
}
