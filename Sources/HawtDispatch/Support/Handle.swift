/// A user's reference: as long as there is one, the dispatcher does not shut down by itself (rule L5).
struct UserReference: ~Copyable, Sendable {
  let dispatcher: DispatcherCore

  init(_ dispatcher: DispatcherCore) {
    self.dispatcher = dispatcher
    dispatcher.addUser()
  }

  deinit { dispatcher.dropUser() }
}
