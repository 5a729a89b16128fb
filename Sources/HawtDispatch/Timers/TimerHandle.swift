/// The clock that a delay is measured on; wall-clock changes affect neither (rule T2).
public enum TimerClock: Sendable, Hashable, CaseIterable {
  /// Goes on while the machine sleeps (`CLOCK_BOOTTIME`).
  case continuous
  /// Stands while the machine sleeps (`CLOCK_MONOTONIC`).
  case suspending
}

/// A one-shot timer that was armed by `asyncAfter`. Dropping it does not cancel the timer. Copies stand for the same
/// timer.
public struct TimerHandle: Sendable {
  /// nil if it was refused, which only a shutdown does.
  private let timer: OneShotTimer?
  /// Kept for `cancel()`, which is legal after the last user has gone. No user's reference: it does not keep the
  /// dispatcher from shutting down.
  private let dispatcher: DispatcherCore?

  init(_ timer: OneShotTimer, of dispatcher: DispatcherCore) {
    self.timer = timer
    self.dispatcher = dispatcher
  }

  /// Of a timer that came too late.
  private init() {
    timer = nil
    dispatcher = nil
  }

  static var refused: TimerHandle { TimerHandle() }

  /// Whether the timer was accepted; refused when the dispatcher is shutting down (rule L3).
  public var submission: Submission { timer == nil ? .refused(.shutDown) : .accepted }

  /// Cancels the timer. True exactly if its task has not started and never will (rule T3), also when called again, or
  /// when the timer was refused or dropped. Any thread,
  /// the task itself included; amortized O(log n), and constant where a queue has many; the task's captures are released before it returns true.
  @discardableResult
  public func cancel() -> Bool {
    // By optional chaining, which lends both: bound to names, each would be counted up and down.
    dispatcher?.refuseInChild("a timer's handle")
    return timer?.cancel() ?? true
  }
}
