/// A user's reference: as long as there is one, the dispatcher does not shut down by itself (rule L5).
struct UserReference: ~Copyable, Sendable {
  let dispatcher: DispatcherCore

  init(_ dispatcher: DispatcherCore) {
    self.dispatcher = dispatcher
    dispatcher.addUser()
  }

  deinit { dispatcher.dropUser() }
}

/// What keeps its dispatcher alive as long as it is alive itself: a serial queue, a source.
protocol Part: AnyObject, Sendable {
  var dispatcher: DispatcherCore { get }
}

/// A user's reference to a part, in one word, as there may be one for each connection of a server.
struct Handle<Core: Part>: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: the reference is constant, and counted from its beginning to its end.
  private let reference: Unmanaged<Core>

  init(_ core: Core) {
    core.dispatcher.addUser()
    reference = .passRetained(core)
  }

  @inline(__always)
  var core: Core { reference.takeUnretainedValue() }

  /// The same, without a reference count: for what is done often.
  @inline(__always)
  func use<Value>(_ body: (Core) -> Value) -> Value {
    // Sound: the handle's own reference is there until `deinit`.
    reference._withUnsafeGuaranteedRef(body)
  }

  deinit {
    // The core goes first, if this is its last reference: what it leaves to do is done before a shutdown begins.
    let dispatcher = core.dispatcher
    reference.release()
    dispatcher.dropUser()
  }
}
