import Glibc

/// A plain thread, foreign to every dispatcher.
final class Thread: @unchecked Sendable {
  // Sound: `handle` is written once, before the object is shared; `join` is called by the owner alone.
  private var handle = pthread_t()

  /// Starts `body` on a thread of its own.
  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Body(run: body))
    let code = pthread_create(
      &handle, nil,
      { argument in
        Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    precondition(code == 0, "the kit could not start a thread: errno \(code)")
  }

  /// Waits for its end.
  func join() { pthread_join(handle, nil) }
  /// Lets it end by itself.
  func detach() { pthread_detach(handle) }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
