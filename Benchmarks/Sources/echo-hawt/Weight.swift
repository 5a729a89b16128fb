import CSupport
import HawtDispatch
import HawtSockets
import Synchronization

/// What one connection costs: every second one computes for a while before it answers.
final class Weight: Sendable {
  /// Where a connection's queue keeps it.
  static let key = QueueKey<Weight>()

  let queue: SerialQueue
  private let work: UInt64
  private let busy = Atomic<UInt64>(0)

  /// - Parameter work: nanoseconds of computing before each answer.
  init(_ queue: SerialQueue, work: UInt64) {
    self.queue = queue
    self.work = work
  }

  func carry() {
    let began = bench_now()
    while bench_now() - began < work {}
    busy.wrappingAdd(bench_now() - began, ordering: .relaxed)
  }

  /// The nanoseconds since the last call.
  func take() -> UInt64 { busy.exchange(0, ordering: .relaxed) }
}

/// Makes every second connection heavy, and, if asked to, moves queues from the worker with more work to the other.
final class Weights: @unchecked Sendable {
  // Sound as Sendable: `weights` is touched on `queue` alone, `connections` on the listener's queue.
  private let dispatcher: Dispatcher
  private let queue: SerialQueue
  private let work: UInt64
  private let timer: TimerSource?
  private var weights: [Weight] = []
  private var connections = 0

  private static let interval = Duration.milliseconds(50)

  init(_ dispatcher: Dispatcher, workMicroseconds: Double, balances: Bool) throws {
    self.dispatcher = dispatcher
    queue = dispatcher.makeSerialQueue(label: "weights")
    work = UInt64(workMicroseconds * 1000)
    timer = balances ? dispatcher.makeTimerSource(target: queue) : nil
    timer?.setEventHandler { [unowned self] _ in try balance() }
    timer?.schedule(after: Self.interval, repeating: Self.interval)
    try timer?.activate()
  }

  /// Called on the listener's queue, once for each connection: every second one is heavy.
  func weigh(_ connection: SerialQueue) {
    connections += 1
    guard connections % 2 == 0 else { return }
    let weight = Weight(connection, work: work)
    connection.setSpecific(Weight.key, weight)
    queue.async { [self] in weights.append(weight) }
  }

  /// Moves the heaviest queue that makes the difference between the two workers smaller.
  private func balance() throws {
    let loads = weights.map { (weight: $0, busy: $0.take(), worker: $0.queue.pinnedWorker ?? 0) }
    let sums = dispatcher.threadQueues.map { worker in
      loads.filter { $0.worker == worker.worker }.reduce(0) { $0 + $1.busy }
    }
    guard let most = sums.indices.max(by: { sums[$0] < sums[$1] }),
      let least = sums.indices.min(by: { sums[$0] < sums[$1] })
    else { return }
    let movable = loads.filter { $0.worker == most && $0.busy > 0 && $0.busy < sums[most] - sums[least] }
    guard let heaviest = movable.max(by: { $0.busy < $1.busy }) else { return }
    try heaviest.weight.queue.setTarget(dispatcher.threadQueues[least])
  }
}
