import HawtDispatch
import Support
import Synchronization

/// Something that can be done many times.
protocol Operation {
  /// Does it so many times and returns when all is done.
  func run(_ count: Int)
}

/// Counts down what is left of a run, and tells who waits for its end.
final class Countdown: Sendable {
  private let left = Atomic<Int>(0)
  private let gate = Gate()

  /// - Parameter start: what sets the first operation off.
  func run(_ count: Int, _ start: () -> Void) {
    left.store(count, ordering: .relaxed)
    start()
    gate.wait()
  }

  /// Whether to go on.
  func step() -> Bool {
    if left.wrappingSubtract(1, ordering: .relaxed).newValue > 0 { return true }
    gate.signal()
    return false
  }
}

func makeOperation(_ name: String, _ dispatcher: Dispatcher) throws -> any Operation {
  let serial = dispatcher.makeSerialQueue(label: name)
  let thread = dispatcher.threadQueues[0]
  return switch name {
  case "event-reactor": try Event(dispatcher, dispatcher.makeSerialQueue(label: name, target: thread))
  case "event-proactor": try Event(dispatcher, serial)
  case "reused-serial": Reused(serial)
  case "reused-global": Reused(dispatcher.global())
  case "reused-thread": Reused(thread)
  case "fresh-serial": Fresh(serial)
  case "timer-repeating": try RepeatingTimer(dispatcher, serial)
  case "timer": try Timer(dispatcher, serial)
  case "steal": Steal(dispatcher)
  case "retarget": try Retarget(dispatcher, serial)
  case "foreign": Foreign(serial)
  case "burst": Burst(serial)
  default:
    fatalError(
      "there is no operation '\(name)'; there are event-reactor, event-proactor, reused-serial, reused-global, "
        + "reused-thread, fresh-serial, timer, timer-repeating, steal, retarget, foreign and burst")
  }
}
