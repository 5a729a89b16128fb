import Glibc

/// Lets the main thread wait for something that happens on a worker.
final class Gate: @unchecked Sendable {
  // Sound as Sendable: a POSIX semaphore may be used from any thread, and its memory never moves.
  private let semaphore: UnsafeMutablePointer<sem_t>

  init() {
    semaphore = .allocate(capacity: 1)
    sem_init(semaphore, 0, 0)
  }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func open() { sem_post(semaphore) }

  func wait() {
    while sem_wait(semaphore) != 0 && errno == EINTR {}
  }
}
