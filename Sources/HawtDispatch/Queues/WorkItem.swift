internal import CLinux
internal import Synchronization

/// A task made once and posted as often as wanted, without allocating.
///
/// It may be posted while it is still waiting or running; each post runs it once more.
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class WorkItem: Sendable {
  let core: WorkItemCore
  /// References to the core that are taken already, for entries to come. Whoever posts takes one here, where the worker
  /// that lets go of them does not write: a count that both wrote would cost more than all the rest of a post.
  private let before = CacheLine()
  private let prepaid = Atomic<Int>(0)
  private let after = CacheLine()
  private static let batch = 256

  /// - Parameter work: runs once for each accepted post, on the queue that it was posted to.
  public init(_ work: @escaping @Sendable () throws -> Void) { core = WorkItemCore(Job(run: work)) }

  deinit {
    let left = prepaid.load(ordering: .acquiring)
    if left > 0 { hawt_release_n(coreAddress, CUnsignedInt(left)) }
  }

  private var coreAddress: UnsafeMutableRawPointer { Unmanaged.passUnretained(core).toOpaque() }

  /// An entry that owns a reference to the core. Any thread.
  @inline(__always)
  func makeEntry() -> Entry {
    // Acquires what the payer released: a reference is taken before it is let go of.
    if prepaid.wrappingSubtract(1, ordering: .acquiringAndReleasing).oldValue <= 0 { payAhead() }
    return Entry(tag: Entry.Kind.object, first: UInt(bitPattern: coreAddress), second: 0)
  }

  /// Takes the reference that the caller could not take from the prepaid ones, and a batch more.
  @inline(never)
  private func payAhead() {
    hawt_retain_n(coreAddress, CUnsignedInt(WorkItem.batch + 1))
    // One more than the batch: what the caller has subtracted.
    prepaid.wrappingAdd(WorkItem.batch + 1, ordering: .acquiringAndReleasing)
  }

  /// From now on no run of the item starts; one that is running finishes. Idempotent; any thread.
  public func cancel() { core.cancel() }

  /// Whether `cancel()` was called.
  public var isCancelled: Bool { core.isCancelled }
}

/// Room that keeps what stands before it from sharing a cache line with what stands behind.
private struct CacheLine: Sendable {
  private let words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
}

final class WorkItemCore: Runnable, @unchecked Sendable {
  // Sound as Sendable: a constant and an atomic.
  private let job: Job
  private let cancelled = Atomic<Bool>(false)

  init(_ job: consuming Job) { self.job = job }

  func cancel() { cancelled.store(true, ordering: .sequentiallyConsistent) }
  var isCancelled: Bool { cancelled.load(ordering: .sequentiallyConsistent) }

  override func execute(on worker: Worker, ticket: UInt) {
    if isCancelled { return }
    do { try job.run() } catch { worker.dispatcher.report(error, .task, on: worker.currentQueue) }
  }

  override func discard(ticket: UInt) -> Bool { !isCancelled }
}
