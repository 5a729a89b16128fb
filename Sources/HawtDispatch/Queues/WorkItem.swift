internal import Synchronization

/// A task made once and posted as often as wanted, without allocating.
///
/// It may be posted while it is still waiting or running; each post runs it once more.
public final class WorkItem: Sendable {
  let core: WorkItemCore

  /// - Parameter work: runs once for each accepted post, on the queue that it was posted to.
  public init(_ work: @escaping @Sendable () throws -> Void) { core = WorkItemCore(Job(run: work)) }

  /// From now on no run of the item starts; one that is running finishes. Idempotent; any thread.
  public func cancel() { core.cancel() }

  /// Whether `cancel()` was called.
  public var isCancelled: Bool { core.isCancelled }
}

final class WorkItemCore: Runnable, @unchecked Sendable {
  // Sound as Sendable: a constant and an atomic.
  private let job: Job
  private let cancelled = Atomic<Bool>(false)

  init(_ job: Job) { self.job = job }

  func cancel() { cancelled.store(true, ordering: .sequentiallyConsistent) }
  var isCancelled: Bool { cancelled.load(ordering: .sequentiallyConsistent) }

  override func execute(on worker: Worker, ticket: UInt) {
    if isCancelled { return }
    do { try job.run() } catch { worker.dispatcher.report(error, .task, on: worker.currentQueue) }
  }

  override func discard(ticket: UInt) -> Bool { !isCancelled }
}
