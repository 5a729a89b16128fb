internal import Glibc

/// Blocks a foreign thread until something has happened once.
final class Waiter: @unchecked Sendable {
  // Sound as Sendable: the lock guards the flag; the condition is made for concurrent use and lives as long as this
  // does.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var hasHappened = false

  init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    condition = .allocate(capacity: 1)
    condition.initialize(to: pthread_cond_t())
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// It has happened. Any thread.
  func signal() {
    pthread_mutex_lock(mutex)
    hasHappened = true
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Returns when it has happened.
  func wait() {
    pthread_mutex_lock(mutex)
    while !hasHappened { pthread_cond_wait(condition, mutex) }
    pthread_mutex_unlock(mutex)
  }

  /// Returns when it has happened, or at a time of the monotonic clock.
  /// - Returns: whether it has happened.
  func wait(until deadline: Nanoseconds) -> Bool {
    var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !hasHappened {
      if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return hasHappened }
    }
    return true
  }
}
