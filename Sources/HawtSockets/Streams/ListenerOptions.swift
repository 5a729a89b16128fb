internal import HawtDispatch

/// How a listener behaves. Each value has a default, so that `.init()` is a good one.
public struct ListenerOptions: Sendable, Hashable {
  /// How many connections may wait to be accepted; the system cuts it to its own limit.
  public var backlog: Int32
  /// How many connections are accepted per readiness, so that a flood of them does not hold up the queue's other work;
  /// what is left fires again (rule S1).
  public var acceptsPerTurn: Int
  /// How long accepting pauses when the system has no descriptor or memory left.
  public var pause: Duration
  /// Whether other sockets of the same user may listen at the same address, the kernel spreading connections
  /// (`SO_REUSEPORT`); no effect on Unix sockets.
  public var reusesPort: Bool
  /// How accepted connections behave.
  public var connection: ConnectionOptions

  /// See the properties.
  ///
  /// - Precondition: `backlog ≥ 1`, `acceptsPerTurn ≥ 1`, `pause > 0`.
  public init(
    backlog: Int32 = 4096, acceptsPerTurn: Int = 32, pause: Duration = .milliseconds(50), reusesPort: Bool = false,
    connection: ConnectionOptions = .init()
  ) {
    trap(unless: backlog >= 1, "ListenerOptions: backlog is \(backlog); it must be at least 1")
    trap(unless: acceptsPerTurn >= 1, "ListenerOptions: acceptsPerTurn is \(acceptsPerTurn); it must be at least 1")
    trap(unless: pause > .zero, "ListenerOptions: pause is \(pause); without one, a lack of descriptors would spin")
    self.backlog = backlog
    self.acceptsPerTurn = acceptsPerTurn
    self.pause = pause
    self.reusesPort = reusesPort
    self.connection = connection
  }
}
