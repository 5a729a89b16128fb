internal import CLinux
internal import Glibc
internal import Polling
internal import Synchronization

/// The one thing of the process that all dispatchers share: which eventfds are written when a signal comes (rule L6).
///
/// A handler installed by `sigaction` writes to each eventfd that is registered for the signal; a signalfd could serve
/// neither two dispatchers nor threads that have the signal unmasked already. The handler may run at any instruction of
/// any thread: it reads atomics and calls `write`, nothing else, and keeps `errno`.
enum SignalRegistry {
  /// Guards `former` and the taking of slots.
  private static let lock = Lock()
  /// The dispositions that were replaced, to be put back with the last source of a signal.
  nonisolated(unsafe) private static var former: [CInt: sigaction] = [:]  // Guarded by `lock`.

  static func add(_ descriptor: CInt, for signal: CInt) throws(SourceError) {
    try lock.withLock { () throws(SourceError) in
      switch hawt_signal_slot_take(signal, descriptor) {
      case 0: break
      case -1: throw .invalidSignal(signal)
      default: throw .registration(BackendError(.add, descriptor: descriptor, code: ENOSPC))
      }
      guard former[signal] == nil else { return }
      var old = sigaction()
      guard hawt_signal_install(signal, &old) == 0 else {
        hawt_signal_slot_free(signal, descriptor)
        throw .invalidSignal(signal)
      }
      former[signal] = old
    }
  }

  static func remove(_ descriptor: CInt, for signal: CInt) {
    lock.withLock {
      guard hawt_signal_slot_free(signal, descriptor) == 0, var old = former.removeValue(forKey: signal) else { return }
      sigaction(signal, &old, nil)
    }
  }
}
