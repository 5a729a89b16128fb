internal import Polling

/// A descriptor's registration with one worker's poller, and the sources that share it (rule S4). Under that worker's
/// lease; the poller's context word keeps it alive.
///
/// The last source to leave takes it along, vacant, for where it goes next: so a migration allocates nothing.
final class Registration {
  /// While it has sources.
  private var slot: SlotID
  /// The sources, linked through `nextOfRegistration`; each is alive while it is registered.
  private var first: Unmanaged<ReadinessCore>?

  private init(slot: SlotID) { self.slot = slot }

  static func from(context: UInt) -> Registration { unmanaged(context).takeUnretainedValue() }

  private static func unmanaged(_ context: UInt) -> Unmanaged<Registration> {
    .fromOpaque(UnsafeRawPointer(bitPattern: context).unsafelyUnwrapped)
  }

  /// A wait has found the descriptor ready whose context word this is.
  /// - Returns: whether the registration is to be updated.
  @inline(__always)
  static func report(_ readiness: Interest, context: UInt, in wait: WaitReport) -> Bool {
    unmanaged(context)._withUnsafeGuaranteedRef { $0.report(readiness, in: wait) }
  }

  /// Registers a source, in the descriptor's registration if there is one. Eager (rule B4).
  ///
  /// - Parameter vacant: what the source took along from its last registration.
  static func add(
    _ source: ReadinessCore, on poller: Poller, reusing vacant: Registration?
  ) throws(BackendError) -> Registration {
    if let slot = poller.slot(for: source.descriptor) {
      let registration = from(context: poller.context(of: slot))
      // The number may have been closed and reused without a cancel (rule S8): the file is the new source's alone.
      if let error = poller.mismatch(of: slot) { registration.fail(error) }
      registration.insert(source)
      do {
        try poller.revalidate(slot)
      } catch {
        registration.take(out: source)
        registration.update(poller)
        throw error
      }
      registration.update(poller)
      return registration
    }
    let slot = try poller.register(source.descriptor, interest: source.interest, context: 0)
    let registration = vacant ?? Registration(slot: slot)
    registration.slot = slot
    poller.setContext(slot, UInt(bitPattern: Unmanaged.passRetained(registration).toOpaque()))
    registration.insert(source)
    return registration
  }

  /// Takes a source out; the last one takes the descriptor out of the poller.
  /// - Returns: whether it is vacant now.
  func remove(_ source: ReadinessCore, on poller: Poller) -> Bool {
    take(out: source)
    guard first == nil else {
      update(poller)
      return false
    }
    poller.unregister(slot)
    Unmanaged.passUnretained(self).release()
    return true
  }

  /// Asks the poller for what the sources together want now; lazily (rule B4).
  func update(_ poller: Poller) {
    var union: Interest = []
    var next = first
    while let source = next {
      source._withUnsafeGuaranteedRef {
        if !$0.isDisarmed { union.formUnion($0.interest) }
        next = $0.nextOfRegistration
      }
    }
    poller.setInterest(slot, union)
  }

  @inline(__always)
  private func report(_ readiness: Interest, in wait: WaitReport) -> Bool {
    var mustUpdate = false
    var next = first
    while let source = next {
      source._withUnsafeGuaranteedRef {
        // Read first: the entry that a report pushes may not run before the lease is freed, but costs nothing to
        // assume.
        next = $0.nextOfRegistration
        if $0.report(readiness, in: wait) { mustUpdate = true }
      }
    }
    return mustUpdate
  }

  /// The system refused a change: every source of the descriptor meets the error (rule S6).
  func fail(_ error: BackendError) {
    var next = first
    while let source = next {
      let strong = source.takeUnretainedValue()
      next = strong.nextOfRegistration
      strong.fail(error)
    }
  }

  private func insert(_ source: ReadinessCore) {
    source.nextOfRegistration = first
    first = .passUnretained(source)
  }

  private func take(out source: ReadinessCore) {
    // A descriptor has one, two, seldom more sources: a walk is shorter than the upkeep of a second link.
    var previous: ReadinessCore?
    var next = first
    while let at = next?.takeUnretainedValue() {
      next = at.nextOfRegistration
      if at === source {
        if let previous { previous.nextOfRegistration = next } else { first = next }
        source.nextOfRegistration = nil
        return
      }
      previous = at
    }
  }
}

/// What the sources are told of the wait that reported them.
struct WaitReport {
  /// The worker whose poller waited.
  let worker: Int
  let number: UInt64
  /// Whether the wait was one that goes on for ever if nothing is ready.
  let blocked: Bool
  /// The calling worker: that one, or a peer.
  let server: WorkerRef
}
