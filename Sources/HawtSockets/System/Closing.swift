import HawtDispatch

/// Cancels what watches `descriptor`, closes it once the last of them is out of its poller, and then calls `closed` on
/// the queue (rule S7: a number that is closed earlier could be reused and receive its predecessor's events).
func close(
  _ descriptor: CInt, of system: any SocketSystem, watchedBy sources: [ReadinessSource], on queue: SerialQueue,
  then closed: @escaping @Sendable () throws -> Void
) {
  queue.dispatcher.whenCancelled(sources, on: queue) {
    system.close(descriptor)
    try closed()
  }
  for source in sources { source.cancel() }
}

extension SerialQueue {
  /// Runs `body` now if the queue runs the caller, else as a task of the queue. A bounded queue at its limit refuses
  /// tasks but never timers (rule Q11), so that what must not be lost goes in as one.
  func hop(_ body: @escaping @Sendable () -> Void) {
    if isExecuting { return body() }
    if case .refused(.queueFull) = async(body) { asyncAfter(.zero, body) }
  }
}
