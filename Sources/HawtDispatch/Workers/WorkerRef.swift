internal import CLinux

/// The worker that the calling thread is, without a reference count: a count each way would be most of a small task's
/// cost. Valid as long as the thread runs, which keeps its worker alive; so it is passed down, never kept.
struct WorkerRef {
  private let worker: Unmanaged<Worker>

  @inline(__always)
  init(_ worker: Worker) { self.worker = .passUnretained(worker) }

  /// The calling thread's, of whatever dispatcher.
  @inline(__always)
  init?() {
    guard let pointer = hawt_get_current_worker() else { return nil }
    worker = .fromOpaque(pointer)
  }

  /// The calling thread's, if it is one of `dispatcher`'s.
  @inline(__always)
  init?(of dispatcher: DispatcherCore) {
    guard let ref = WorkerRef(), ref.use({ $0.serves(dispatcher) }) else { return nil }
    self = ref
  }

  /// Whether it serves the dispatcher of which these are the bits, in the process that made it.
  @inline(__always)
  func isAtHome(_ owner: UInt) -> Bool { use { $0.isAtHome(owner) } }

  /// Whether `queue` is the innermost that runs on the worker.
  @inline(__always)
  func isRunning(_ queue: QueueCore) -> Bool { use { $0.isRunning(queue) } }

  @inline(__always)
  func use<Value>(_ body: (Worker) -> Value) -> Value { worker._withUnsafeGuaranteedRef(body) }

  @inline(__always) var index: Int { use { $0.index } }
  func takeChunk() -> Chunk { use { $0.takeChunk() } }
  func giveChunk(_ chunk: Chunk) { use { $0.giveChunk(chunk) } }
}
