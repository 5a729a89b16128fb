internal import Polling
internal import Synchronization

/// Sees to it that somebody looks at a worker that is in user code, in case it gets stuck there (rule Q13).
///
/// While some worker runs user code and some worker sleeps, one sleeper's alarm is set; when it rings, that worker
/// looks at its peers, and sets its alarm again as long as any is in user code. An idle dispatcher has no alarm set, so
/// it uses no CPU (rule Q5). An alarm that is set already is not set again, so it costs one system call per interval, not
/// per round. Modelled in `Conformance/Models/watch.pml`.
///
///     unarmed ──a worker begins user code while another sleeps──▶ armed (which) ──it rings, nobody is busy──▶ unarmed
final class Watch: @unchecked Sendable {
  // Sound as Sendable: one atomic, and a constant.
  private static let unarmed = -1
  private let watcher = Atomic<Int>(Watch.unarmed)
  private let owner = OwnerReference()
  private var dispatcher: DispatcherCore { owner.value }

  func adopt(_ dispatcher: DispatcherCore) { owner.set(dispatcher) }

  /// A worker is about to run user code. It has freed its lease, sequentially consistent, before it looks here: either
  /// it sees that a worker sleeps, or the one that goes to sleep sees the free lease.
  @inline(__always)
  func workerBegins(_ worker: Worker) {
    let seen = watcher.load(ordering: .sequentiallyConsistent)
    if seen == worker.index || (seen == Watch.unarmed && worker.wakePolicy.hasIdle) { handOver(worker, seen) }
  }

  /// Sets an idle worker's alarm. A watcher that has work of its own may get stuck itself: another takes its place, or
  /// the next one that goes to sleep finds it empty.
  private func handOver(_ worker: Worker, _ first: Int) {
    var seen = first
    while seen == Watch.unarmed || seen == worker.index {
      let chosen = worker.wakePolicy.anyIdle().flatMap { $0 == worker.index ? nil : $0 }
      if chosen == nil, seen == Watch.unarmed { return }
      let (mine, now) = watcher.compareExchange(
        expected: seen, desired: chosen ?? Watch.unarmed, ordering: .sequentiallyConsistent)
      if mine, let chosen {
        dispatcher.workers[chosen].poller?.armAlarm(afterNanoseconds: worker.watchInterval)
        return
      }
      // A worker may have gone to sleep since, relying on the watcher that it saw: look again.
      seen = mine ? Watch.unarmed : now
    }
  }

  /// A worker has announced its sleep. Under its own lease.
  @inline(__always)
  func workerSleeps(_ worker: Worker) {
    let seen = watcher.load(ordering: .sequentiallyConsistent)
    if seen != worker.index { armIfPeersAreBusy(worker, instead: seen) }
  }

  /// The alarm of `owner` has rung. Under the lease of `owner`, by `server`, who may be a peer.
  func rang(of owner: Worker, by server: Worker) {
    let (mine, _) = watcher.compareExchange(
      expected: owner.index, desired: Watch.unarmed, ordering: .sequentiallyConsistent)
    if mine { armIfPeersAreBusy(server, instead: Watch.unarmed) }
  }

  private func armIfPeersAreBusy(_ worker: Worker, instead first: Int) {
    var seen = first
    while true {
      // A watcher that sleeps does its duty.
      if seen != Watch.unarmed, seen != worker.index, owner.use({ !$0.workers[seen].isInUserCode }) { return }
      guard owner.use({ $0.workers.contains { $0 !== worker && $0.isInUserCode } }) else { return }
      let (mine, now) = watcher.compareExchange(
        expected: seen, desired: worker.index, ordering: .sequentiallyConsistent)
      if mine {
        worker.poller?.armAlarm(afterNanoseconds: worker.watchInterval)
        return
      }
      // Whoever won may have chosen a worker that is in user code itself: look again.
      if now == worker.index { return }
      seen = now
    }
  }
}
