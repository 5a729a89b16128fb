internal import Glibc

extension Poller {
  /// Tells the kernel what was noted since the last wait. A change that it refuses hurts nobody else: the slot is taken
  /// out, and the caller finds the error with the wait's results (rule `S6`).
  final func flushChanges() {
    while table.pointee.dirtyCount > 0 {
      let index = table.pointee.takeDirty()
      let slot = table.pointee.slots + Int(index)
      guard slot.pointee.isUsed, slot.pointee.wanted != slot.pointee.armed else { continue }
      flushChange(index)
    }
  }

  private func flushChange(_ index: UInt32) {
    let slot = table.pointee.slots + Int(index)
    let old = slot.pointee.armed
    let new = slot.pointee.wanted
    do {
      try backendChange(
        slot.pointee.descriptor, table.pointee.token(of: index), from: old, to: new)
      noteArmed(index, new)
      // What the kernel has not in its set it takes in, whatever file the number stands for by now. Asked afterwards: whoever
      // has the number then had it at the change, unless it has come back to him in between.
      if old.isEmpty || traits.contains(.identifiesByDescriptor) { try checkNumber(index) }
      PollerCounters.increment(counters.changes)
    } catch {
      // The file was closed under its registration. A duplicate may live on and report for ever.
      harvest.pointee.needsRebuild = true
      // What the system has against another file, which has the number by now, is not what the user is to hear.
      giveUp(index, new.isEmpty ? nil : mismatch(of: SlotID(index: index)) ?? error)
    }
  }

  /// Says what a backend that carries tokens hears from the kernel about what is in its set: a change reached another file,
  /// or none.
  private func checkNumber(_ index: UInt32) throws(BackendError) {
    if let error = mismatch(of: SlotID(index: index)) { throw error }
  }

  /// Takes a slot out of the kernel's set because of an error, or without one if it was to leave the set anyway.
  private func giveUp(_ index: UInt32, _ error: BackendError?) {
    let slot = table.pointee.slots + Int(index)
    backendRemove(slot.pointee.descriptor, table.pointee.token(of: index), from: slot.pointee.armed)
    noteArmed(index, [])
    slot.pointee.wanted = []
    if let error { reportFailure(index, error) }
  }

  private func reportFailure(_ index: UInt32, _ error: BackendError) {
    harvest.pointee.failures.append(
      RegistrationFailure(
        slot: SlotID(index: index), context: table.pointee.slots[Int(index)].context, error: error))
  }

  /// Builds the kernel's set anew from the table, which is the only way to get rid of a registration whose descriptor is
  /// closed while the file lives on (rule `S8`). O(slots); put off to the way into a wait, because only there the set is
  /// looked at, and many closed descriptors then cost one rebuild.
  ///
  /// - Returns: false if the system has no room for another backend: the old one stays, and holds what it should not.
  final func rebuildIfNeeded() -> Bool {
    // Once more where a number was lost meanwhile: its slot is not entered again, so there is an end.
    while harvest.pointee.needsRebuild {
      guard rebuild() else { return false }
    }
    return true
  }

  private func rebuild() -> Bool {
    do { try backendBeginReplacement() } catch { return false }
    for index in 0..<Devices.count {
      do {
        try backendAdd(
          table.pointee.slots[Int(index)].descriptor, table.pointee.token(of: index), .read)
      } catch {
        backendEndReplacement(keepNew: false)
        return false
      }
    }
    harvest.pointee.needsRebuild = false
    for index in Devices.count..<max(Devices.count, table.pointee.count)
    where table.pointee.isUsed(index) && !table.pointee.slots[Int(index)].armed.isEmpty {
      addAgain(index)
    }
    backendEndReplacement(keepNew: true)
    renewWitness()
    PollerCounters.increment(counters.rebuilds)
    return true
  }

  /// Enters a slot into the new set, if its number still stands for its file, before and after.
  private func addAgain(_ index: UInt32) {
    let slot = table.pointee.slots + Int(index)
    var error = mismatch(of: SlotID(index: index))
    if error == nil {
      do {
        try backendAdd(slot.pointee.descriptor, table.pointee.token(of: index), slot.pointee.armed)
        error = mismatch(of: SlotID(index: index))
        if error == nil { return }
        backendRemove(slot.pointee.descriptor, table.pointee.token(of: index), from: slot.pointee.armed)
      } catch let refusal {
        error = BackendError(.change, descriptor: slot.pointee.descriptor, code: refusal.code)
      }
      // What a backend entered in part, or for a number that was lost since, it may not be able to take out.
      harvest.pointee.needsRebuild = true
    }
    noteArmed(index, [])
    slot.pointee.wanted = []
    if let error { reportFailure(index, error) }
  }

  /// Leaves out the files that have lost their numbers. If the system has no room for that, they stay noted.
  private func renewWitness() {
    var renewed = Witness()
    for index in Devices.count..<max(Devices.count, table.pointee.count)
    where table.pointee.isUsed(index) && needsWitness(index) && mismatch(of: SlotID(index: index)) == nil {
      do { try renewed.note(table.pointee.slots[Int(index)].descriptor) } catch { return }
      // The former one is still there to tell whether the number was lost before it was noted.
      guard mismatch(of: SlotID(index: index)) == nil else { return harvest.pointee.needsRebuild = true }
    }
    devices.pointee.witness = renewed
  }
}
