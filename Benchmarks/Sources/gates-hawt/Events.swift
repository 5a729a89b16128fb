import CSupport
import Glibc
import HawtDispatch
import Support

/// A descriptor that the handler reads and makes ready again.
final class Event: Operation, @unchecked Sendable {
  // Sound as Sendable: `source` is set before the descriptor is ready for the first time.
  private let countdown = Countdown()
  private let descriptor = bench_event_descriptor()
  private var source: ReadinessSource!

  init(_ dispatcher: Dispatcher, _ queue: SerialQueue) throws {
    source = dispatcher.makeReadSource(descriptor, target: queue) { [unowned self] _ in
      var value: UInt64 = 0
      read(descriptor, &value, MemoryLayout.size(ofValue: value))
      if countdown.step() { makeReady() }
    }
    try source.activate()
  }

  func run(_ count: Int) { countdown.run(count) { makeReady() } }

  private func makeReady() {
    var value: UInt64 = 1
    write(descriptor, &value, MemoryLayout.size(ofValue: value))
  }
}

/// A timer that beats by itself.
final class RepeatingTimer: Operation, @unchecked Sendable {
  // Sound as Sendable: `source` and `left` are set before the timer is scheduled; then the handler alone touches `left`,
  // until the gate hands it back.
  private static let interval = Duration.microseconds(10)
  private let gate = Gate()
  private var source: TimerSource!
  private var left = 0

  init(_ dispatcher: Dispatcher, _ queue: SerialQueue) throws {
    source = dispatcher.makeTimerSource(target: queue) { [unowned self] event in
      // Beats that were missed come with the next one.
      left -= event.beats
      guard left <= 0 else { return }
      // Replaces the beat, before the next run may set it again.
      source.schedule(after: .seconds(1000))
      gate.signal()
    }
    try source.activate()
  }

  func run(_ count: Int) {
    left = count
    source.schedule(after: Self.interval, repeating: Self.interval)
    gate.wait()
  }
}

/// A timer that its handler schedules anew.
final class Timer: Operation, @unchecked Sendable {
  // Sound as Sendable: `source` is set before the timer is scheduled for the first time.
  private let countdown = Countdown()
  private var source: TimerSource!

  init(_ dispatcher: Dispatcher, _ queue: SerialQueue) throws {
    source = dispatcher.makeTimerSource(target: queue) { [unowned self] _ in
      if countdown.step() { arm() }
    }
    try source.activate()
  }

  func run(_ count: Int) { countdown.run(count, arm) }

  private func arm() { source.schedule(after: .microseconds(1)) }
}

/// A pinned queue with a live source that goes to and fro between two workers. A task behind each move tells that it has
/// happened.
final class Retarget: Operation {
  private let queue: SerialQueue
  private let workers: [ThreadQueue]
  private let source: ReadinessSource
  private let arrived = Gate()
  private let item: WorkItem

  init(_ dispatcher: Dispatcher, _ queue: SerialQueue) throws {
    self.queue = queue
    workers = dispatcher.threadQueues
    try queue.setTarget(workers[0])
    source = dispatcher.makeReadSource(bench_quiet_socket(), target: queue) { _ in }
    try source.activate()
    let arrived = arrived
    item = WorkItem { arrived.signal() }
  }

  func run(_ count: Int) {
    for move in 1...count {
      do { try queue.setTarget(workers[move % workers.count]) } catch { fatalError("moving a queue: \(error)") }
      queue.async(item)
      arrived.wait()
    }
  }
}
