internal import Synchronization

/// Who is woken for work that any worker may run. Modelled in `Conformance/Models/worker.pml`.
///
/// At most one worker at a time is on its way up to *search* for work: waking an idle core costs more than hundreds of
/// tasks. A worker that is about to run user code and leaves shared work behind wakes the next, so that a burst fans
/// out.
///
/// Why nothing is lost: a pusher pushes, then reads `searchers` and the idle bits; a worker that gives up searching
/// lowers `searchers`, sets its idle bit, announces its sleep, and *then* looks at the work once more. All of these are
/// sequentially consistent: either the pusher sees the sleeper or the sleeper sees the work.
final class WakePolicy: @unchecked Sendable {
  // Sound as Sendable: atomics, and constants that are set before any thread starts.
  private let searchers = Atomic<Int>(0)
  private let idleCount = Atomic<Int>(0)
  /// A bit for each worker that has announced its sleep.
  private let idle: UnsafeMutablePointer<Atomic<UInt64>>
  private let idleWords: Int
  private let owner = OwnerReference()
  private var dispatcher: DispatcherCore { owner.value }

  init(workers: Int) {
    idleWords = (workers + 63) / 64
    idle = .allocate(capacity: idleWords)
    for word in 0..<idleWords { (idle + word).initialize(to: Atomic(0)) }
  }

  func adopt(_ dispatcher: DispatcherCore) { owner.set(dispatcher) }

  deinit {
    idle.deinitialize(count: idleWords)
    idle.deallocate()
  }

  /// Whether any worker sleeps.
  @inline(__always)
  var hasIdle: Bool { idleCount.load(ordering: .sequentiallyConsistent) > 0 }

  /// Wakes a worker to search, unless one is searching already. Called after the work was pushed. Any thread.
  func notify() {
    while true {
      guard searchers.load(ordering: .sequentiallyConsistent) == 0, hasIdle else { return }
      let (first, _) = searchers.compareExchange(expected: 0, desired: 1, ordering: .sequentiallyConsistent)
      guard first else { return }
      if wakeOne() { return }
      searchers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      // Another pusher may have relied on this attempt, after the last sleeper it saw was gone.
      guard dispatcher.hasSharedWork else { return }
    }
  }

  private func wakeOne() -> Bool {
    for word in 0..<idleWords {
      var bits = idle[word].load(ordering: .sequentiallyConsistent)
      while bits != 0 {
        let bit = bits.trailingZeroBitCount
        bits &= bits - 1
        if dispatcher.workers[word * 64 + bit].wakeToSearch() { return true }
      }
    }
    return false
  }

  /// An idle worker, if there is one.
  func anyIdle() -> Int? {
    for word in 0..<idleWords {
      let bits = idle[word].load(ordering: .sequentiallyConsistent)
      if bits != 0 { return word * 64 + bits.trailingZeroBitCount }
    }
    return nil
  }

  /// The worker begins to look for work on its own account.
  func beginSearching() { searchers.wrappingAdd(1, ordering: .sequentiallyConsistent) }

  /// The worker stops searching.
  func endSearching() { searchers.wrappingSubtract(1, ordering: .sequentiallyConsistent) }

  /// Before a worker runs user code, whatever it is: what is still shared must not wait for it, as it may get stuck.
  @inline(__always)
  func workerBegins() {
    if hasIdle, dispatcher.hasSharedWork { notify() }
  }

  func setIdle(_ worker: Int) {
    idle[worker >> 6].bitwiseOr(1 << UInt64(worker & 63), ordering: .sequentiallyConsistent)
    idleCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
  }

  func clearIdle(_ worker: Int) {
    idle[worker >> 6].bitwiseAnd(~(1 << UInt64(worker & 63)), ordering: .sequentiallyConsistent)
    idleCount.wrappingSubtract(1, ordering: .sequentiallyConsistent)
  }
}
