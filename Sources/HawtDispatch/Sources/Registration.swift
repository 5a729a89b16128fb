internal import Polling

/// A descriptor's registration with one worker's poller, and the sources that share it (rule S4): a chain, linked through
/// `nextOfRegistration`, whose first is the registration's context word. Under that worker's lease.
///
/// The chain owns nothing: a source keeps itself alive as long as it is registered.
enum Registration {
  private static func source(_ context: UInt) -> Unmanaged<ReadinessCore>? {
    UnsafeRawPointer(bitPattern: context).map(Unmanaged.fromOpaque)
  }

  private static func context(_ source: Unmanaged<ReadinessCore>?) -> UInt {
    source.map { UInt(bitPattern: $0.toOpaque()) } ?? 0
  }

  /// Registers a source, in the descriptor's registration if there is one. Eager (rule B4).
  static func add(_ source: ReadinessCore, on poller: Poller) throws(BackendError) {
    guard let slot = poller.slot(for: source.descriptor) else {
      source.nextOfRegistration = nil
      _ = try poller.register(
        source.descriptor, interest: source.interest, context: context(.passUnretained(source)))
      return
    }
    // The number may have been closed and reused without a cancel (rule S8): the file is the new source's alone.
    if let error = poller.mismatch(of: slot) { fail(error, context: poller.context(of: slot)) }
    source.nextOfRegistration = self.source(poller.context(of: slot))
    poller.setContext(slot, context(.passUnretained(source)))
    do {
      try poller.revalidate(slot)
    } catch {
      take(out: source, of: slot, on: poller)
      update(slot, on: poller)
      throw error
    }
    update(slot, on: poller)
  }

  /// Takes a source out; the last one takes the descriptor out of the poller.
  static func remove(_ source: ReadinessCore, on poller: Poller) {
    guard let slot = poller.slot(for: source.descriptor) else { return }
    take(out: source, of: slot, on: poller)
    if poller.context(of: slot) == 0 { poller.unregister(slot) } else { update(slot, on: poller) }
  }

  /// Asks the poller for what the sources together want now; lazily (rule B4).
  static func update(_ slot: SlotID, on poller: Poller) {
    var union: Interest = []
    var next = source(poller.context(of: slot))
    while let source = next {
      source._withUnsafeGuaranteedRef {
        if !$0.isDisarmed { union.formUnion($0.interest) }
        next = $0.nextOfRegistration
      }
    }
    poller.setInterest(slot, union)
  }

  /// A wait has found the descriptor ready whose context word this is.
  /// - Returns: whether the registration is to be updated.
  @inline(__always)
  static func report(_ readiness: Interest, context: UInt, in wait: WaitReport) -> Bool {
    var mustUpdate = false
    var next = source(context)
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
  static func fail(_ error: BackendError, context: UInt) {
    var next = source(context)
    while let source = next {
      let strong = source.takeUnretainedValue()
      next = strong.nextOfRegistration
      strong.fail(error)
    }
  }

  private static func take(out source: ReadinessCore, of slot: SlotID, on poller: Poller) {
    // A descriptor has one, two, seldom more sources: a walk is shorter than the upkeep of a second link.
    var previous: ReadinessCore?
    var next = self.source(poller.context(of: slot))
    while let at = next?.takeUnretainedValue() {
      next = at.nextOfRegistration
      if at === source {
        if let previous { previous.nextOfRegistration = next } else { poller.setContext(slot, context(next)) }
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
