import Glibc
import HawtDispatch

/// What the runner may ask for while the load stands.
enum Disturbance {
  static func obey(_ command: String, on dispatcher: Dispatcher) -> Double {
    switch command {
    case "hold": hold(dispatcher)
    case "spin": spin(dispatcher.makeSerialQueue(label: "spinning"))
    default: fatalError("unknown command '\(command)': say memory, cpu, hold or spin")
    }
    return 1
  }

  /// Blocks whichever worker takes it for a second, as a call that nobody expected to block.
  private static func hold(_ dispatcher: Dispatcher) {
    dispatcher.global().async { sleep(1) }
  }

  /// Keeps a serial queue busy for ever with a task that posts itself.
  private static func spin(_ queue: SerialQueue) {
    queue.async { spin(queue) }
  }
}
