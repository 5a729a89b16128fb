internal import Synchronization

/// What every backend shares: the table of registrations, lazy changes, stale reports, the waker, deadlines and the alarm.
///
/// **The lease.** All members belong to one thread at a time, whoever holds the poller's lease; successive holders may be
/// different threads if handing over makes the one happen before the other (rule `B6`). Legal from anywhere, at any time
/// before `close`: `wake`, `armAlarm`, `waitNumber` and the counters.
///
/// The class is abstract: `BackendPoller` fills in the backend, whose type is known nowhere else. A wait costs one dynamic
/// call and, if nothing was noted since the last, one system call.
///
/// `Sendable` without the compiler's proof, because the lease is the proof; what is legal from anywhere is atomic or a
/// single system call on a descriptor that stays open until `close`.
package class Poller: @unchecked Sendable {
  /// The backend's name.
  package final let identity: BackendIdentity

  final let traits: BackendTraits
  final let table: UnsafeMutablePointer<SlotTable>
  final let harvest: UnsafeMutablePointer<Harvest>
  final let buffer: UnsafeMutablePointer<ReadyBuffer>
  final let devices: UnsafeMutablePointer<Devices>
  /// The waker's and the alarm's, for threads that do not hold the lease.
  private final let wakeDescriptor: CInt
  private final let alarmDescriptor: CInt
  /// Whether the alarm was set, and no wait has found since that it rang.
  final let alarmIsPending = Atomic<Bool>(false)
  final let counters = PollerCounters()

  /// Whether `close` or `abandonAfterFork` has been called.
  final private(set) var isClosed = false

  /// Makes everything but the backend. Nothing stays open if it throws.
  init(identity: BackendIdentity, traits: BackendTraits, eventsPerWait: Int) throws(BackendError) {
    // The only step that can fail comes first, so that there is nothing to take back.
    let made = try Devices()
    wakeDescriptor = made.waker.descriptor
    alarmDescriptor = made.alarm.descriptor
    devices = .allocate(capacity: 1)
    devices.initialize(to: made)
    self.identity = identity
    self.traits = traits
    table = .allocate(capacity: 1)
    table.initialize(to: SlotTable())
    harvest = .allocate(capacity: 1)
    harvest.initialize(to: Harvest(capacity: eventsPerWait))
    buffer = .allocate(capacity: 1)
    buffer.initialize(to: ReadyBuffer(capacity: eventsPerWait))
  }

  deinit {
    if !isClosed { devices.deinitialize(count: 1) }
    devices.deallocate()
    table.deinitialize(count: 1)
    table.deallocate()
    harvest.deinitialize(count: 1)
    harvest.deallocate()
    buffer.deinitialize(count: 1)
    buffer.deallocate()
  }

  /// Gives every descriptor of the poller's own back to the system. Idempotent; afterwards nothing but the counters may
  /// be used, from any thread.
  package final func close() {
    guard !isClosed else { return }
    isClosed = true
    backendDestroy()
    devices.deinitialize(count: 1)
  }

  /// Puts the poller out of use in a forked child. The parent's registrations stay untouched: a backend whose destruction
  /// would take them out is leaked (rule `S9`).
  package final func abandonAfterFork() {
    guard !isClosed else { return }
    isClosed = true
    if traits.contains(.harmlessAfterFork) { backendDestroy() } else { backendLeak() }
    devices.deinitialize(count: 1)
  }

  /// Registers the poller's own descriptors; the subclass calls it once, when the backend is there.
  final func registerDevices() throws(BackendError) {
    for index in 0..<Devices.count {
      let descriptor = devices.pointee.descriptor(inSlot: index)
      let slot = table.pointee.take(for: descriptor)
      precondition(slot == index, "the poller's own descriptors have the first slots")
      do {
        try backendAdd(descriptor, table.pointee.token(of: slot), .read)
      } catch {
        throw BackendError(.create, code: error.code)
      }
      table.pointee.slots[Int(slot)].armed = .read
      table.pointee.slots[Int(slot)].wanted = .read
    }
  }

  // MARK: What the backend does

  func backendAdd(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError) {
    fatalError("BackendPoller overrides this")
  }

  func backendChange(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    fatalError("BackendPoller overrides this")
  }

  func backendRemove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    fatalError("BackendPoller overrides this")
  }

  /// Waits into the emptied buffer.
  func backendWait(_ mode: WaitMode) throws(BackendError) {
    fatalError("BackendPoller overrides this")
  }

  /// Puts an empty backend in the place of the present one, which is kept aside.
  func backendBeginReplacement() throws(BackendError) {
    fatalError("BackendPoller overrides this")
  }

  /// Drops the old backend, or the new one and goes back to the old.
  func backendEndReplacement(keepNew: Bool) {
    fatalError("BackendPoller overrides this")
  }

  func backendDestroy() {
    fatalError("BackendPoller overrides this")
  }

  func backendLeak() {
    fatalError("BackendPoller overrides this")
  }
}

extension Poller {
  /// The number of the wait that was begun last: a report is as old as its wait. Legal from anywhere.
  ///
  /// Whoever reads it after draining a descriptor knows that a wait with a higher number looked at the descriptor after
  /// that (rule `M6`): the number is published before the kernel is asked, both sequentially consistent.
  package final var waitNumber: UInt64 { counters.waits.load(ordering: .sequentiallyConsistent) }

  /// Registrations of the caller's. Legal from anywhere.
  package final var registrationCount: Int { counters.registrations.load(ordering: .relaxed) }

  /// Directions that the kernel watches for the caller. Legal from anywhere.
  package final var armedDirectionCount: Int { counters.armedDirections.load(ordering: .relaxed) }

  /// Waits that the waker ended or took part in ending. Legal from anywhere.
  package final var wakeUpCount: UInt64 { counters.wakeUps.load(ordering: .relaxed) }

  /// How often the kernel's set was built anew. Legal from anywhere.
  package final var rebuildCount: UInt64 { counters.rebuilds.load(ordering: .relaxed) }

  /// Noted changes that were told to the kernel. Legal from anywhere.
  package final var changeCount: UInt64 { counters.changes.load(ordering: .relaxed) }

  /// Ends the present or the next wait. One system call, which cannot block; legal from anywhere. The caller merges.
  package final func wake() {
    Waker.signal(wakeDescriptor)
  }

  /// Lets the alarm ring once, the given time from now; one that is set and has not been found to have rung stays as it is,
  /// and may ring earlier. One system call at most; legal from anywhere. A wait that it ends says so in `alarmRang`.
  package final func armAlarm(afterNanoseconds nanoseconds: UInt64) {
    // Sequentially consistent: whoever finds out that it rang says so here *before* it looks at what the caller has published.
    guard !alarmIsPending.exchange(true, ordering: .sequentiallyConsistent) else { return }
    Alarm.set(alarmDescriptor, afterNanoseconds: nanoseconds)
  }

  /// The time at which a wait has to end at the latest, on one of the clocks; nil for never. No system call: the kernel is
  /// told when a wait is going to block, and only if it does not know of an earlier one.
  package final func setDeadline(_ clock: PollerClock, _ nanoseconds: UInt64?) {
    switch clock {
    case .suspending: devices.pointee.suspending.setDeadline(nanoseconds)
    case .continuous: devices.pointee.continuous.setDeadline(nanoseconds)
    }
  }
}
