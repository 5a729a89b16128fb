/// How long a backend's wait may take. There is no third mode: deadlines are descriptors like any other.
public enum WaitMode: Sendable, Hashable {
  /// Report what is ready and return at once, also with nothing.
  case now

  /// Return only when something is ready; a signal does not end the wait (rule `B7`).
  case untilReady
}
