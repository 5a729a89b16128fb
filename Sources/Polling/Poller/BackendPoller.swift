/// A poller on one kind of backend.
///
/// The backend lives behind a pointer: it is not copyable, it is replaced as a whole in a rebuild, and a class property
/// would be checked for exclusive access at every call.
///
/// `Sendable` without the compiler's proof for its superclass's reason: the lease.
final class BackendPoller<B: PollingBackend & ~Copyable>: Poller, @unchecked Sendable {
  private var backend: UnsafeMutablePointer<B>

  /// The former backend while a rebuild is under way.
  private var replaced: UnsafeMutablePointer<B>?

  init(eventsPerWait: Int) throws(BackendError) {
    let backend = try Self.makeBackend()
    self.backend = backend
    do {
      try super.init(identity: B.identity, traits: B.traits, eventsPerWait: eventsPerWait)
    } catch {
      // There is no object yet whose deinit would do it.
      Self.destroy(backend)
      throw error
    }
    try registerDevices()
  }

  deinit {
    if !isClosed { backendDestroy() }
  }

  private static func makeBackend() throws(BackendError) -> UnsafeMutablePointer<B> {
    let made = try B()
    let pointer = UnsafeMutablePointer<B>.allocate(capacity: 1)
    pointer.initialize(to: made)
    return pointer
  }

  private static func destroy(_ backend: UnsafeMutablePointer<B>) {
    backend.deinitialize(count: 1)
    backend.deallocate()
  }

  override func backendAdd(
    _ descriptor: CInt, _ token: Token, _ interest: Interest
  ) throws(BackendError) {
    try backend.pointee.add(descriptor, token, interest)
  }

  override func backendChange(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    try backend.pointee.change(descriptor, token, from: old, to: new)
  }

  override func backendRemove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    backend.pointee.remove(descriptor, token, from: interest)
  }

  override func backendWait(_ mode: WaitMode) throws(BackendError) {
    buffer.pointee.removeAll()
    try backend.pointee.wait(mode, into: &buffer.pointee)
  }

  override func backendBeginReplacement() throws(BackendError) {
    precondition(replaced == nil, "one rebuild at a time")
    let fresh = try Self.makeBackend()
    replaced = backend
    backend = fresh
  }

  override func backendEndReplacement(keepNew: Bool) {
    guard let old = replaced else { preconditionFailure("no rebuild is under way") }
    replaced = nil
    if keepNew {
      Self.destroy(old)
    } else {
      Self.destroy(backend)
      backend = old
    }
  }

  override func backendDestroy() {
    Self.destroy(backend)
  }

  override func backendLeak() {
    // The object must outlive the process's interest in it, and nothing is what keeps it: its memory stays allocated.
  }
}
