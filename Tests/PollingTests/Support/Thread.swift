import Glibc

/// A thread of the system's, since waits block and Swift's own pool must not.
final class Thread {
  private var handle = pthread_t()

  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body))
    let result = pthread_create(
      &handle, nil,
      { argument in
        Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    precondition(result == 0)
  }

  /// Sends the thread a signal.
  func signal(_ number: CInt) {
    pthread_kill(handle, number)
  }

  func join() {
    pthread_join(handle, nil)
  }

  private final class Box {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
      self.body = body
    }
  }
}
