internal import CLinux
internal import Glibc

/// Tells a queue of a signal to the process; each dispatcher that asked is told (rule L6).
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class SignalSource: Sendable {
  /// The signal's number.
  public let signal: CInt
  /// Reads the eventfd that the process's handler writes to; nil if the system gave none.
  private let reads: ReadinessSource?
  /// Closes the eventfd when the cancel handler has run, or was let go of without running.
  private let subscription: Subscription?
  private let failure: SourceError?

  init(_ signal: CInt, dispatcher: DispatcherCore, target: QueueCore) {
    self.signal = signal
    let descriptor = eventfd(0, hawt_eventfd_flags)
    guard descriptor >= 0 else {
      reads = nil
      subscription = nil
      failure = .registration(BackendError(.create, code: errno))
      return
    }
    failure = nil
    subscription = Subscription(descriptor: descriptor, signal: signal)
    reads = ReadinessSource(
      SignalCore(dispatcher: dispatcher, queue: target, descriptor: descriptor, signal: signal))
    setCancelHandler {}
  }

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
    guard let reads, let subscription else { return }
    reads.setCancelHandler {
      subscription.end()
      try handler()
    }
  }

  /// Installs the process's handler, unless another source has, and starts. A second call has no effect.
  ///
  /// - Throws: `.invalidSignal`; `.registration` when descriptors have run out, or the signal has 256 sources; what `ReadinessSource.activate` throws.
  public func activate() throws(SourceError) {
    guard let reads, let subscription else { throw failure! }
    let isFirst: Bool
    do throws(SourceError) {
      isFirst = try subscription.begin()
    } catch {
      reads.cancel()
      throw error
    }
    do throws(SourceError) {
      try reads.activate()
    } catch {
      if isFirst { subscription.withdraw() }
      throw error
    }
  }

  /// Holds deliveries; nests. Signals that come meanwhile are counted.
  public func suspend() { reads?.suspend() }
  /// Ends one `suspend()`; traps if there is none.
  public func resume() { reads?.resume() }
  /// Stops it; the process's former disposition comes back with the last source of that signal.
  public func cancel() { reads?.cancel() }
  /// Whether it is cancelled, by `cancel()` or as it could not be made or activated.
  public var isCancelled: Bool { reads?.isCancelled ?? true }
  /// Gives it another queue, live; see `ReadinessSource.setTarget`. Of an invalid signal there is nothing to move.
  public func setTarget(
    _ target: any Queue, completion: (@Sendable (SerialQueue.RetargetOutcome) -> Void)? = nil
  ) throws(DispatcherError) { try reads?.setTarget(target, completion: completion) }
}

/// The readiness source inside, under the name that its user knows.
private final class SignalCore: ReadinessCore, @unchecked Sendable {
  // Sound as Sendable: a constant.
  private let signal: CInt

  init(dispatcher: DispatcherCore, queue: QueueCore, descriptor: CInt, signal: CInt) {
    self.signal = signal
    super.init(dispatcher: dispatcher, queue: queue, descriptor: descriptor, interest: .read)
  }

  override var label: String { "source of signal \(signal)" }
}

/// A signal source's eventfd and its place in the process's registry. The cancel handler holds it: both go when that has
/// run, and also when it never will, as its dispatcher was stopped and let go of.
private final class Subscription: @unchecked Sendable {
  // Sound as Sendable: constants, and `lock` guards the rest.
  private let descriptor: CInt
  private let signal: CInt
  private let lock = Lock()
  private var hasPlace = false
  private var hasEnded = false

  init(descriptor: CInt, signal: CInt) {
    self.descriptor = descriptor
    self.signal = signal
  }

  deinit { end() }

  /// Takes the place in the registry.
  /// - Returns: false if it has it already.
  func begin() throws(SourceError) -> Bool {
    try lock.withLock { () throws(SourceError) in
      // The number may be another file's by now.
      guard !hasEnded else { throw .cancelled(source: "source of signal \(signal)") }
      guard !hasPlace else { return false }
      try SignalRegistry.add(descriptor, for: signal)
      hasPlace = true
      return true
    }
  }

  /// Gives the place up again: the source could not be activated.
  func withdraw() {
    lock.withLock { giveUpPlace() }
  }

  func end() {
    lock.withLock {
      guard !hasEnded else { return }
      hasEnded = true
      giveUpPlace()
      close(descriptor)
    }
  }

  private func giveUpPlace() {
    if hasPlace { SignalRegistry.remove(descriptor, for: signal) }
    hasPlace = false
  }
}
