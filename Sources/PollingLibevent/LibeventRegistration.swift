#if Libevent
  internal import Polling

  /// A slot's two events and what fired in the present wait.
  struct LibeventRegistration {
    var token: Token
    var descriptor: CInt = -1
    var readiness: Interest = []
    let readEvent: OpaquePointer
    let writeEvent: OpaquePointer

    /// The list of the base that this belongs to.
    let fired: UnsafeMutablePointer<LibeventFiredList>

    init(
      token: Token, readEvent: OpaquePointer, writeEvent: OpaquePointer,
      fired: UnsafeMutablePointer<LibeventFiredList>
    ) {
      self.token = token
      self.readEvent = readEvent
      self.writeEvent = writeEvent
      self.fired = fired
    }

    /// Performs an action for the event of each direction in an interest; stops at the first that says no.
    func forEachEvent(in interest: Interest, _ action: (OpaquePointer) -> Bool) -> Bool {
      if interest.contains(.read) && !action(readEvent) { return false }
      if interest.contains(.write) && !action(writeEvent) { return false }
      return true
    }
  }
#endif
