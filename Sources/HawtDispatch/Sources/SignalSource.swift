internal import CLinux
internal import Glibc

/// Tells a queue of a signal to the process; each dispatcher that asked is told (rule L6).
public final class SignalSource: Sendable {
  /// The signal's number.
  public let signal: CInt
  /// Reads the eventfd that the process's handler writes to; nil if the system gave none.
  private let reads: ReadinessSource?
  private let failure: SourceError?

  init(_ signal: CInt, dispatcher: DispatcherCore, target: QueueCore) {
    self.signal = signal
    let descriptor = eventfd(0, hawt_eventfd_flags)
    guard descriptor >= 0 else {
      reads = nil
      failure = .registration(BackendError(.create, code: errno))
      return
    }
    failure = nil
    reads = ReadinessSource(
      ReadinessCore(dispatcher: dispatcher, queue: target, descriptor: descriptor, interest: .read))
    setCancelHandler {}
  }

  deinit { cancel() }

  /// Sets what runs, with how many deliveries it stands for, on the target queue. No effect after `cancel()`.
  public func setEventHandler(_ handler: @escaping @Sendable (_ count: Int) throws -> Void) {
    reads?.setEventHandler { event in
      var count: UInt64 = 0
      guard read(event.descriptor, &count, MemoryLayout<UInt64>.size) == MemoryLayout<UInt64>.size else { return }
      try handler(Int(clamping: count))
    }
  }

  /// Sets what runs once after `cancel()`. No effect after `cancel()`.
  public func setCancelHandler(_ handler: @escaping @Sendable () throws -> Void) {
    guard let reads else { return }
    let (descriptor, signal) = (reads.descriptor, signal)
    reads.setCancelHandler {
      SignalRegistry.remove(descriptor, for: signal)
      close(descriptor)
      try handler()
    }
  }

  /// Installs the process's handler, unless another source has, and starts. A second call has no effect.
  ///
  /// - Throws: `.invalidSignal`; `.registration` when descriptors have run out; what `ReadinessSource.activate` throws.
  public func activate() throws(SourceError) {
    guard let reads else { throw failure! }
    do throws(SourceError) {
      try SignalRegistry.add(reads.descriptor, for: signal)
    } catch {
      reads.cancel()
      throw error
    }
    try reads.activate()
  }

  /// Holds deliveries; nests. Signals that come meanwhile are counted.
  public func suspend() { reads?.suspend() }
  /// Ends one `suspend()`; traps if there is none.
  public func resume() { reads?.resume() }
  /// Stops it; the process's former disposition comes back with the last source of that signal.
  public func cancel() { reads?.cancel() }
}
