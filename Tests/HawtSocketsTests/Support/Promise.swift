import Glibc

/// Hands values from handlers to a test that awaits them. The suites' time limits end what never comes.
final class Promise<Value: Sendable>: @unchecked Sendable {
  // Sound as Sendable: all variables are touched under the lock.
  private let lock = TestLock()
  private var values: [Value] = []
  private var waiters: [CheckedContinuation<Value, Never>] = []

  func fulfil(_ value: Value) {
    let waiter = lock.with {
      if waiters.isEmpty {
        values.append(value)
        return CheckedContinuation<Value, Never>?.none
      }
      return waiters.removeFirst()
    }
    waiter?.resume(returning: value)
  }

  /// The next value, in the order in which they came.
  func next() async -> Value {
    await withCheckedContinuation { continuation in
      let value = lock.with {
        if values.isEmpty {
          waiters.append(continuation)
          return Value?.none
        }
        return values.removeFirst()
      }
      if let value { continuation.resume(returning: value) }
    }
  }

  /// How many values wait.
  var count: Int { lock.with { values.count } }
}

extension Promise where Value == Void {
  func fulfil() { fulfil(()) }
}

/// A lock of the system's: the library's own is not for tests, and the standard library's confuses the thread
/// sanitizer.
final class TestLock: @unchecked Sendable {
  // Sound as Sendable: the mutex's memory never moves.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init() { pthread_mutex_init(mutex, nil) }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func with<Value>(_ body: () throws -> Value) rethrows -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }
}

/// A value that handlers on several threads share with a test.
final class Shared<Value: Sendable>: @unchecked Sendable {
  // Sound as Sendable: the value is touched under the lock.
  private let lock = TestLock()
  private var stored: Value

  init(_ value: Value) { stored = value }

  var value: Value { lock.with { stored } }

  @discardableResult
  func update<Result>(_ change: (inout Value) -> Result) -> Result { lock.with { change(&stored) } }
}
