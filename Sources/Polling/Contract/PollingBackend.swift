/// A way to learn from the operating system which descriptors are ready: the whole of what differs between backends.
///
/// Timers, deadlines, wake-ups, signals, threads and callbacks are none of a backend's business. The shared `Poller` owns
/// the table of descriptors, generations and lazy changes; it registers its waker and its deadlines with the backend like
/// any other descriptor, and there is always at least one of them.
///
/// The contract, which the conformance suite checks under these numbers:
/// - `B1`: Level-triggered. Errors and hang-ups are reported as both directions; the poller cuts every report down to what
///   was asked, so a backend need not.
/// - `B2`: ``change(_:_:from:to:)`` to the empty interest takes the descriptor out of the kernel's set, and from the empty
///   interest puts it back. An empty interest that still reports errors would spin.
/// - `B3`: A descriptor is added once until it is removed; the poller sees to that.
/// - `B4`: ``add(_:_:_:)`` asks the system before it returns, so that its refusal is the caller's error. What cannot be
///   waited for, a regular file or a directory, is refused with `EPERM`, and a number that is not open with `EBADF`, also
///   by a backend whose system would take them: `poll(2)` tells a file as ready at all times.
/// - `B5`: ``wait(_:into:)`` fills the buffer and runs no code of the user's; a token stands in the buffer at most once.
/// - `B6`: One thread at a time, not always the same one; each call happens before the next.
/// - `B7`: An interrupting signal is invisible.
/// - `B8`: Backends are alike. A number that is closed while it is registered falls silent, as epoll forgets it: what
///   `poll(2)` says of it then, `POLLNVAL`, is no readiness, and no reason for a wait to return.
///
/// Conformance takes no more than these requirements; `init` gives a backend with nothing registered, and its `deinit`
/// gives everything back to the system. A backend that is generic has to leave that to something it stores, an object say:
/// Swift 6.3 forgets the `deinit` of a generic noncopyable type in optimized builds (rule `L5` finds what is left open).
public protocol PollingBackend: ~Copyable, SendableMetatype {
  /// The name in reports and error messages.
  static var identity: BackendIdentity { get }

  /// What the shared code has to know. Default: ``BackendTraits/identifiesByDescriptor``, which is safe for any backend.
  static var traits: BackendTraits { get }

  /// The most reports that one wait is given room for. Default: 256. More where the system cannot be kept from telling
  /// more at once: what does not fit is fetched again by the next wait.
  static var eventsPerWait: Int { get }

  /// Makes a backend with nothing registered. All descriptors that it needs are close-on-exec (`S9`).
  ///
  /// - Throws: ``BackendError`` with operation `create`, for instance at the limit of open descriptors; nothing stays
  ///   open then.
  init() throws(BackendError)

  /// Registers a descriptor that is not registered. O(1) or O(log *n*).
  ///
  /// - Parameters:
  ///   - descriptor: Not negative, and not registered (`B3`).
  ///   - token: What ``wait(_:into:)`` reports for it.
  ///   - interest: Never empty.
  /// - Throws: ``BackendError`` with operation `add`, and code `EPERM` for a regular file or a directory, `EBADF` for a
  ///   number that is not open; the descriptor is not registered then (`B4`).
  mutating func add(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError)

  /// Replaces the interest of a registered descriptor; either side may be empty, the two differ (`B2`).
  ///
  /// - Throws: ``BackendError`` with operation `change`. The poller then removes the registration.
  mutating func change(_ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest)
    throws(BackendError)

  /// Takes a registered descriptor out. There is no error: a descriptor that was closed meanwhile is out already, and
  /// the poller looks after the case where it is not. Until this call, too, a closed descriptor is not reported (`B8`).
  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest)

  /// Appends what is ready to the empty buffer, never more than it takes: level-triggered, the rest is told next time.
  /// A backend that learns more than the buffer takes must not prefer the same descriptors every time.
  ///
  /// - Throws: ``BackendError`` with operation `wait`; no interruption by a signal is an error (`B7`).
  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError)
}

extension PollingBackend where Self: ~Copyable {
  /// Safe for any backend: registrations are taken to be found by number.
  public static var traits: BackendTraits { .identifiesByDescriptor }

  /// Room for 256 reports.
  public static var eventsPerWait: Int { 256 }
}
