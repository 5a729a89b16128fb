import HawtDispatch

/// Gives each connection its queue: pinned to the workers in turn (reactor), or run by any worker (proactor).
struct Placement: Sendable {
  private let dispatcher: Dispatcher
  private let turn: Turn?

  init(_ dispatcher: Dispatcher, pinned: Bool) {
    self.dispatcher = dispatcher
    turn = pinned ? Turn(dispatcher.threadQueues) : nil
  }

  func nextQueue() throws -> SerialQueue {
    guard let turn else { return dispatcher.makeSerialQueue(label: "connection") }
    return try dispatcher.makeSerialQueue(label: "connection", target: turn.next())
  }
}

/// Whose turn it is.
private final class Turn: @unchecked Sendable {
  // Sound as Sendable: it is asked on the listener's queue alone.
  private let queues: [ThreadQueue]
  private var index = 0

  init(_ queues: [ThreadQueue]) { self.queues = queues }

  func next() -> ThreadQueue {
    index = (index + 1) % queues.count
    return queues[index]
  }
}
