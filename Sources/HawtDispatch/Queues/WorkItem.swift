/// A task made once and posted as often as wanted, without allocating.
///
/// It may be posted while it is still waiting or running; each post runs it once more.
public final class WorkItem: Sendable {
  /// - Parameter work: runs once for each accepted post, on the queue that it was posted to.
  public init(_ work: @escaping @Sendable () throws -> Void) { unimplemented() }

  /// From now on no run of the item starts; one that is running finishes. Idempotent; any thread.
  public func cancel() { unimplemented() }

  /// Whether `cancel()` was called.
  public var isCancelled: Bool { unimplemented() }
}
