internal import Glibc

/// A mutex. `Synchronization.Mutex` gives false reports under the thread sanitizer and is slow under contention in
/// this toolchain, so this wraps the system's: the kind that looks a few times before it sleeps, since whoever has it holds it
/// for some tens of instructions.
///
/// Sound as `Sendable`: the pointer never changes, its memory is freed only in `deinit`, and the system's mutex is
/// made for concurrent use.
struct Lock: ~Copyable, @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>

  init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    defer { pthread_mutexattr_destroy(&attributes) }
    pthread_mutexattr_settype(&attributes, CInt(PTHREAD_MUTEX_ADAPTIVE_NP))
    let code = pthread_mutex_init(mutex, &attributes)
    precondition(code == 0, "Lock: pthread_mutex_init failed: \(errorText(code))")
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  /// Runs `body` alone. Rethrows what it throws.
  @inline(__always)
  func withLock<Value: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
    lock()
    defer { unlock() }
    return try body()
  }
}

/// What the system says of an error number.
func errorText(_ code: CInt) -> String {
  // strerror_r's GNU form may return a static text instead of filling the buffer; both are NUL-terminated.
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    buffer.initialize(repeating: 0)
    let known = strerror_r(code, buffer.baseAddress!, buffer.count) == 0
    return known ? "\(String(cString: buffer.baseAddress!)) (errno \(code))" : "errno \(code)"
  }
}
