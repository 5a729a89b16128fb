#if Libevent
  internal import CLibevent
  internal import Polling

  /// A slot's events, one for each direction that has ever been asked for, and what fired in the present wait.
  struct LibeventRegistration {
    var token: Token
    var descriptor: CInt = -1
    var readiness: Interest = []
    /// Made at the first need, since most descriptors are watched in one direction all their life, and an event is the
    /// largest part of a registration.
    private var readEvent: OpaquePointer?
    private var writeEvent: OpaquePointer?

    /// The list of the base that this belongs to.
    let fired: UnsafeMutablePointer<LibeventFiredList>

    init(token: Token, fired: UnsafeMutablePointer<LibeventFiredList>) {
      self.token = token
      self.fired = fired
    }

    /// The event of one direction, if there is one.
    subscript(direction: Interest) -> OpaquePointer? {
      get { direction == .read ? readEvent : writeEvent }
      set { if direction == .read { readEvent = newValue } else { writeEvent = newValue } }
    }

    static let directions: [Interest] = [.read, .write]

    /// What libevent calls a direction. It stays until it is deleted.
    static func kind(_ direction: Interest) -> Int16 {
      Int16((direction == .read ? EV_READ : EV_WRITE) | EV_PERSIST)
    }

    func freeEvents() {
      if let readEvent { event_free(readEvent) }
      if let writeEvent { event_free(writeEvent) }
    }
  }
#endif
