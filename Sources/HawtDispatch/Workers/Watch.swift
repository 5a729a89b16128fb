internal import Polling
internal import Synchronization

/// Sees to it that somebody looks at a worker that is in user code, in case it gets stuck there (rule Q13).
///
/// While some worker runs user code and some worker sleeps, one sleeper's alarm is set; when it rings, that worker looks
/// at its peers, and sets its alarm again as long as any is in user code. An idle dispatcher has no alarm set, so it uses
/// no CPU (rule Q5). The alarm costs one system call per interval, not per round.
///
///     unarmed ──a worker begins user code while another sleeps──▶ armed (which) ──it rings, nobody is busy──▶ unarmed
final class Watch: @unchecked Sendable {
  // Sound as Sendable: one atomic, and a constant.
  private static let unarmed = -1
  private let watcher = Atomic<Int>(Watch.unarmed)
  private let owner = OwnerReference()
  private var dispatcher: DispatcherCore { owner.value }

  func adopt(_ dispatcher: DispatcherCore) { owner.set(dispatcher) }

  /// A worker is about to run user code. It has freed its lease, sequentially consistent, before it looks here: either it
  /// sees that a worker sleeps, or the one that goes to sleep sees the free lease.
  @inline(__always)
  func workerBegins(_ worker: Worker) {
    guard dispatcher.wakePolicy.hasIdle else { return }
    let seen = watcher.load(ordering: .sequentiallyConsistent)
    if seen == Watch.unarmed || seen == worker.index { arm(anIdleOneFor: worker, instead: seen) }
  }

  private func arm(anIdleOneFor worker: Worker, instead seen: Int) {
    // A watcher that has work of its own may get stuck itself: another takes its place.
    guard worker.hasWork, let chosen = dispatcher.wakePolicy.anyIdle(), chosen != worker.index else { return }
    let (mine, _) = watcher.compareExchange(expected: seen, desired: chosen, ordering: .sequentiallyConsistent)
    if mine { dispatcher.workers[chosen].poller?.armAlarm(afterNanoseconds: Worker.watchInterval) }
  }

  /// A worker has announced its sleep. Under its own lease.
  @inline(__always)
  func workerSleeps(_ worker: Worker) {
    if watcher.load(ordering: .sequentiallyConsistent) == Watch.unarmed { armIfPeersAreBusy(worker) }
  }

  /// The alarm has rung. Under the worker's own lease.
  func rang(on worker: Worker) {
    let (mine, _) = watcher.compareExchange(
      expected: worker.index, desired: Watch.unarmed, ordering: .sequentiallyConsistent)
    if mine { armIfPeersAreBusy(worker) }
  }

  private func armIfPeersAreBusy(_ worker: Worker) {
    for peer in dispatcher.workers where peer !== worker && peer.isInUserCode {
      let (mine, _) = watcher.compareExchange(
        expected: Watch.unarmed, desired: worker.index, ordering: .sequentiallyConsistent)
      if mine { worker.poller?.armAlarm(afterNanoseconds: Worker.watchInterval) }
      return
    }
  }
}
