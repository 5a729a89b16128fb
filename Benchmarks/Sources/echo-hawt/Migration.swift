import HawtDispatch

/// Gives every connection the next worker ten times a second, a tenth of them at a time.
final class Migration: @unchecked Sendable {
  // Sound as Sendable: touched on `queue` alone.
  private static let movesPerSecond = 10
  private static let beats = 10

  private let queue: SerialQueue
  private let timer: TimerSource
  private var connections: [SerialQueue] = []
  private var next = 0

  init(_ dispatcher: Dispatcher) throws {
    queue = dispatcher.makeSerialQueue(label: "migration")
    timer = dispatcher.makeTimerSource(target: queue)
    let workers = dispatcher.threadQueues
    timer.setEventHandler { [unowned self] event in try move(to: workers, beats: event.beats) }
    let interval = Duration.seconds(1) / (Self.movesPerSecond * Self.beats)
    timer.schedule(after: interval, repeating: interval)
    try timer.activate()
  }

  func add(_ connection: SerialQueue) { queue.async { [self] in connections.append(connection) } }

  private func move(to workers: [ThreadQueue], beats: Int) throws {
    guard !connections.isEmpty else { return }
    for _ in 0..<(connections.count * beats / Self.beats) {
      let connection = connections[next]
      try connection.setTarget(workers[((connection.pinnedWorker ?? 0) + 1) % workers.count])
      next = (next + 1) % connections.count
    }
  }
}
