#if Libevent
  internal import CLibevent
  internal import Glibc
  internal import Polling

  /// An `event_base` used as a bare readiness engine, whichever system call it is built on.
  ///
  /// What keeps it in step with the other backends, each seen to fail otherwise:
  /// - `EVENT_BASE_FLAG_NOLOCK`: one base belongs to one thread at a time; without it a wake-up descriptor of libevent's own
  ///   appears as soon as anyone in the process turns its threading on. `EVENT_BASE_FLAG_IGNORE_ENV`: no variable may
  ///   exchange the system call.
  /// - Never the changelist flag: registering what cannot be polled would succeed.
  /// - Two events a slot, one a direction: toggling one is one `epoll_ctl`. They are allocated once, at the first need, and assigned anew.
  /// - No timers: libevent's clock is coarse. The poller has descriptors for that.
  /// - The callback only ORs a bit into its registration, and runs nothing.
  ///
  /// libevent's log callback is the process's business, so a refused registration may leave a line on standard error.
  struct LibeventBase: ~Copyable {
    private let base: OpaquePointer

    /// Registrations by slot. Each stands at an address of its own, because libevent holds on to it.
    private var registrations: [UnsafeMutablePointer<LibeventRegistration>?] = []

    /// Those that the present wait reported; at a fixed address, because the callback appends to it.
    private let fired: UnsafeMutablePointer<LibeventFiredList>

    /// Where the next wait starts to copy, if the last one had more than the buffer took.
    private var rotation = 0

    /// Makes a base on one of libevent's methods.
    ///
    /// - Throws: `create` with EMFILE or the like, or with ENOTSUP if libevent has another idea of the method.
    init(method: String, avoiding others: [String]) throws(BackendError) {
      guard let configuration = event_config_new() else {
        throw BackendError(.create, code: ENOMEM)
      }
      defer { event_config_free(configuration) }
      let flags = EVENT_BASE_FLAG_NOLOCK.rawValue | EVENT_BASE_FLAG_IGNORE_ENV.rawValue
      event_config_set_flag(configuration, CInt(bitPattern: flags))
      for other in others { event_config_avoid_method(configuration, other) }
      try Self.checkRoom()
      errno = 0
      guard let base = event_base_new_with_config(configuration) else {
        throw BackendError(.create, code: errno == 0 ? ENOTSUP : errno)
      }
      guard String(cString: event_base_get_method(base)) == method else {
        event_base_free(base)
        throw BackendError(.create, code: ENOTSUP)
      }
      self.base = base
      fired = .allocate(capacity: 1)
      fired.initialize(to: LibeventFiredList())
    }

    /// Refuses while refusing is still possible: libevent 2.1 *ends the process* if it gets no descriptors for its signal
    /// pipe. It needs up to three; one more is for another thread that opens one in between, which nobody can exclude.
    private static func checkRoom() throws(BackendError) {
      var reserved: [CInt] = []
      defer { for item in reserved { close(item) } }
      for _ in 0..<4 {
        let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 || (errno != EMFILE && errno != ENFILE) else {
          throw BackendError(.create, code: errno)
        }
        if descriptor >= 0 { reserved.append(descriptor) }
      }
    }

    deinit {
      for registration in registrations {
        guard let registration else { continue }
        registration.pointee.freeEvents()
        registration.deallocate()
      }
      event_base_free(base)
      fired.deinitialize(count: 1)
      fired.deallocate()
    }

    /// Registers a descriptor; either both directions are in, or none.
    mutating func add(
      _ descriptor: CInt, _ token: Token, _ interest: Interest
    ) throws(BackendError) {
      let registration = try assign(descriptor, token)
      do {
        try enter(registration, interest, .add)
      } catch {
        leave(registration, [.read, .write])
        throw error
      }
    }

    /// Adds what is new and deletes what is not wanted any more; adding first keeps the descriptor in the kernel's set.
    mutating func change(
      _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
    ) throws(BackendError) {
      let registration = try self.registration(of: token, descriptor)
      try enter(registration, new.subtracting(old), .change)
      leave(registration, old.subtracting(new))
    }

    /// Deletes both events; libevent treats a descriptor that is closed as gone.
    mutating func remove(_ token: Token) {
      guard let registration = find(token) else { return }
      leave(registration, [.read, .write])
      registration.pointee.readiness = []
    }

    /// One turn of the loop. `EVLOOP_NONBLOCK` alone would not return while something stays ready.
    mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
      let flags = mode == .now ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE
      guard event_base_loop(base, flags) >= 0 else { throw BackendError(.wait, code: errno) }
      report(into: &ready)
    }

    /// Copies what fired. libevent asks for batches of a size of its own; if the buffer is smaller, the next wait starts
    /// behind what this one took, so that all descriptors get their turn.
    private mutating func report(into ready: inout ReadyBuffer) {
      let count = fired.pointee.count
      guard count > 0 else { return }
      let start = count > ready.remaining ? rotation % count : 0
      rotation = count > ready.remaining ? start + ready.remaining : 0
      for offset in 0..<count {
        let registration = fired.pointee[(start + offset) % count]
        ready.append(registration.pointee.token, registration.pointee.readiness)
        registration.pointee.readiness = []
      }
      fired.pointee.removeAll()
    }

    private func enter(
      _ registration: UnsafeMutablePointer<LibeventRegistration>, _ interest: Interest,
      _ operation: BackendError.Operation
    ) throws(BackendError) {
      errno = 0
      for direction in LibeventRegistration.directions where interest.contains(direction) {
        if let event = event(of: registration, direction), event_add(event, nil) == 0 { continue }
        let code = errno == 0 ? EINVAL : errno
        throw BackendError(operation, descriptor: registration.pointee.descriptor, code: code)
      }
    }

    /// The event of a direction, made if there is none.
    /// - Returns: nil with `errno` set if there is no memory.
    private func event(
      of registration: UnsafeMutablePointer<LibeventRegistration>, _ direction: Interest
    ) -> OpaquePointer? {
      if let existing = registration.pointee[direction] { return existing }
      let made = event_new(
        base, registration.pointee.descriptor, LibeventRegistration.kind(direction), libeventFired, registration)
      if made == nil { errno = ENOMEM }
      registration.pointee[direction] = made
      return made
    }

    private func leave(
      _ registration: UnsafeMutablePointer<LibeventRegistration>, _ interest: Interest
    ) {
      for direction in LibeventRegistration.directions where interest.contains(direction) {
        if let event = registration.pointee[direction] { event_del(event) }
      }
    }

    private func find(_ token: Token) -> UnsafeMutablePointer<LibeventRegistration>? {
      guard Int(token.slot) < registrations.count else { return nil }
      return registrations[Int(token.slot)]
    }

    /// The registration of a slot that is out of the kernel's set may belong to a backend that was replaced.
    private mutating func registration(
      of token: Token, _ descriptor: CInt
    ) throws(BackendError) -> UnsafeMutablePointer<LibeventRegistration> {
      if let found = find(token), found.pointee.token == token { return found }
      return try assign(descriptor, token)
    }

    /// Makes the events that a slot has stand for a descriptor.
    private mutating func assign(
      _ descriptor: CInt, _ token: Token
    ) throws(BackendError) -> UnsafeMutablePointer<LibeventRegistration> {
      let registration = find(token) ?? allocate(for: token)
      registration.pointee.token = token
      registration.pointee.descriptor = descriptor
      registration.pointee.readiness = []
      for direction in LibeventRegistration.directions {
        guard let event = registration.pointee[direction] else { continue }
        guard
          event_assign(
            event, base, descriptor, LibeventRegistration.kind(direction), libeventFired, registration) == 0
        else { throw BackendError(.add, descriptor: descriptor, code: EINVAL) }
      }
      return registration
    }

    private mutating func allocate(for token: Token) -> UnsafeMutablePointer<LibeventRegistration> {
      while registrations.count <= Int(token.slot) { registrations.append(nil) }
      let registration = UnsafeMutablePointer<LibeventRegistration>.allocate(capacity: 1)
      registration.initialize(to: LibeventRegistration(token: token, fired: fired))
      registrations[Int(token.slot)] = registration
      return registration
    }
  }

  /// libevent's callback for every event: notes the direction and returns.
  private func libeventFired(
    _ descriptor: CInt, _ what: Int16, _ argument: UnsafeMutableRawPointer?
  ) {
    guard let registration = argument?.assumingMemoryBound(to: LibeventRegistration.self) else {
      return
    }
    if registration.pointee.readiness.isEmpty {
      registration.pointee.fired.pointee.append(registration)
    }
    if CInt(what) & EV_READ != 0 { registration.pointee.readiness.insert(.read) }
    if CInt(what) & EV_WRITE != 0 { registration.pointee.readiness.insert(.write) }
  }
#endif
