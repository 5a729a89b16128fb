internal import Glibc

/// Blocks a foreign thread until it has been signalled often enough.
package final class Gate: @unchecked Sendable {
  // Sound as Sendable: a POSIX semaphore may be used from any thread, and its memory never moves.
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  package init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  package func signal() { sem_post(semaphore) }

  package func wait(_ count: Int = 1) {
    for _ in 0..<count { while sem_wait(semaphore) != 0 {} }
  }
}
