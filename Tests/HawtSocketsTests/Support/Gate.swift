import Glibc

/// Holds a thread until another opens it: for tasks that a test keeps from ending.
final class Gate: @unchecked Sendable {
  // Sound as Sendable: the semaphore's memory never moves.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func open() { sem_post(semaphore) }

  /// Waits, and leaves the gate open for others.
  func pass() {
    while sem_wait(semaphore) != 0 {}
    sem_post(semaphore)
  }
}
