internal import Synchronization

extension Poller {
  /// Tells the kernel what has changed, asks it what is ready, and keeps the answer for `ready`, `wasWoken`, `alarmRang` and
  /// `takeFailures`. Runs no code of the caller's (rule `B5`). O(changes + events); without changes one system call.
  ///
  /// `.untilReady` returns only with something: a report, a wake-up, the alarm, a failed change, or a deadline that has
  /// come (rule `B7`); it does not block if a deadline has come already. `.now` does not look at deadlines.
  ///
  /// - Throws: `BackendError` with operation `wait`, which means that the poller is beyond use.
  package final func wait(_ mode: WaitMode) throws(BackendError) {
    precondition(!isClosed, "the poller is closed")
    flushChanges()
    var mayHeal = true
    while true {
      let isSound = rebuildIfNeeded()
      let blocks = mode == .untilReady && !devices.pointee.isDeadlineDue && harvest.pointee.failures.isEmpty
      if blocks { devices.pointee.prepareToBlock() }
      try waitOnce(blocks && isSound ? .untilReady : .now)
      if !blocks || harvest.pointee.isWorthReturning || devices.pointee.isDeadlineDue {
        return
      }
      if !isSound {
        // What the set holds and should not may be ready all the time, and a backend that knows nothing of it would not come
        // back. So it is asked now and then, until there is room for another one.
        devices.pointee.wait(atMostMilliseconds: Poller.pauseWithoutRoom)
        continue
      }
      // Nothing but a timer that rang before its deadline, which had moved away, or a stale report. Stale reports end with
      // one rebuild; a backend that goes on with them is wrong, and must not hold the thread here.
      if harvest.pointee.foundStale {
        if !mayHeal { return }
        mayHeal = false
      }
    }
  }

  /// The registrations that the last wait reported, each once, valid until the next. An entry whose readiness is empty was
  /// taken out since. No copy, no reference counting.
  package final var ready: UnsafeBufferPointer<Ready> {
    UnsafeBufferPointer(start: harvest.pointee.entries, count: harvest.pointee.count)
  }

  /// Whether the last wait found the waker's signal, and took it.
  package final var wasWoken: Bool { harvest.pointee.wasWoken }

  /// Whether the last wait found that the alarm had rung, and stopped it.
  package final var alarmRang: Bool { harvest.pointee.alarmRang }

  /// Whether `takeFailures` has something.
  package final var hasFailures: Bool { !harvest.pointee.failures.isEmpty }

  /// Hands over the errors that changes and rebuilds met on the way into waits. Until they are taken, a wait does not
  /// block.
  package final func takeFailures() -> [RegistrationFailure] {
    let failures = harvest.pointee.failures
    harvest.pointee.failures = []
    return failures
  }

  /// How long readiness may wait while the set cannot be built anew, because the system has no room.
  private static var pauseWithoutRoom: CInt { 1 }

  private func waitOnce(_ mode: WaitMode) throws(BackendError) {
    let number = harvest.pointee.waitNumber &+ 1
    harvest.pointee.begin(number)
    counters.waits.store(number, ordering: .sequentiallyConsistent)
    try backendWait(mode)
    translate()
  }

  /// Turns tokens into registrations and answers the poller's own descriptors.
  private func translate() {
    for position in 0..<buffer.pointee.count {
      let entry = buffer.pointee[position]
      let index = entry.token.slot
      guard index < table.pointee.count else {
        noteStale()
        continue
      }
      let slot = table.pointee.slots + Int(index)
      let readiness = entry.readiness.intersection(slot.pointee.wanted)
      // A report of nothing that was asked for comes from a file of which this slot knows nothing any more.
      guard slot.pointee.generation == entry.token.generation, !readiness.isEmpty else {
        noteStale()
        continue
      }
      if index < Devices.count {
        answerDevice(index)
      } else if let position = harvest.pointee.position(of: index, slot.pointee.reportPosition) {
        harvest.pointee.entries[position].readiness.formUnion(readiness)
      } else {
        slot.pointee.reportPosition = UInt32(truncatingIfNeeded: harvest.pointee.count)
        (harvest.pointee.entries + harvest.pointee.count).initialize(
          to: Ready(slot: SlotID(index: index), readiness: readiness, context: slot.pointee.context)
        )
        harvest.pointee.count += 1
      }
    }
  }

  private func noteStale() {
    harvest.pointee.foundStale = true
    harvest.pointee.needsRebuild = true
  }

  private func answerDevice(_ index: UInt32) {
    switch index {
    case 0:
      devices.pointee.waker.clear()
      harvest.pointee.wasWoken = true
      PollerCounters.increment(counters.wakeUps)
    case 1: devices.pointee.suspending.noteRung()
    case 2: devices.pointee.continuous.noteRung()
    default:
      devices.pointee.alarm.clear()
      // Sequentially consistent: see `armAlarm`.
      alarmIsPending.store(false, ordering: .sequentiallyConsistent)
      harvest.pointee.alarmRang = true
    }
  }
}
