/// Tells a queue of a signal to the process; each dispatcher that asked is told (rule L6).
public final class SignalSource: Sendable {
  init() { unimplemented() }
  /// The signal's number.
  public var signal: CInt { unimplemented() }
  /// Sets what runs, with how many deliveries it stands for, on the target queue. No effect after `cancel()`.
  public func setEventHandler(_ handler: @escaping @Sendable (_ count: Int) throws -> Void) { unimplemented() }
  /// Sets what runs once after `cancel()`. No effect after `cancel()`.
  public func setCancelHandler(_ handler: @escaping @Sendable () throws -> Void) { unimplemented() }
  /// Installs the handler, unless another source of the process has, and starts. Throws `.invalidSignal`.
  public func activate() throws(SourceError) { unimplemented() }
  /// Holds deliveries; nests. Signals that come meanwhile are counted.
  public func suspend() { unimplemented() }
  /// Ends one `suspend()`; traps if there is none.
  public func resume() { unimplemented() }
  /// Stops it; the process's former disposition comes back with the last source of that signal.
  public func cancel() { unimplemented() }
}
