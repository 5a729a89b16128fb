import HawtDispatch

extension SerialQueue {
  /// Runs `body` now if the queue runs the caller, else as a task of the queue. A bounded queue at its limit refuses
  /// tasks but never timers (rule Q11), so that what must not be lost goes in as one.
  func hop(_ body: @escaping @Sendable () -> Void) {
    if isExecuting { return body() }
    if case .refused(.queueFull) = async(body) { asyncAfter(.zero, body) }
  }
}
