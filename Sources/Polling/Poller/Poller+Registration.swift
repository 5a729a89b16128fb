internal import Glibc

extension Poller {
  /// Registers a descriptor and tells the kernel at once, so that its refusal is this call's error (rule `B4`). O(1), two
  /// system calls for a socket.
  ///
  /// An empty interest is tried out as well, then taken out of the kernel's set again (rule `B2`).
  ///
  /// - Parameter context: Handed back with the registration's readiness; the poller does not look at it.
  /// - Throws: `BackendError` with operation `add`: EEXIST if this poller has the descriptor already (rule `B3`), EBADF if
  ///   it is not open, EPERM if it cannot be polled, or what else the system says.
  package final func register(
    _ descriptor: CInt, interest: Interest, context: UInt
  ) throws(BackendError) -> SlotID {
    precondition(!isClosed, "the poller is closed")
    guard descriptor >= 0 else { throw BackendError(.add, descriptor: descriptor, code: EBADF) }
    guard table.pointee.slot(for: descriptor) == SlotTable.none else {
      throw BackendError(.add, descriptor: descriptor, code: EEXIST)
    }
    guard let identity = OpenFileIdentity(of: descriptor) else {
      throw BackendError(.add, descriptor: descriptor, code: EBADF)
    }
    let index = table.pointee.take(for: descriptor)
    table.pointee.slots[Int(index)].identity = identity
    do {
      try noteInWitness(index)
      try addToKernel(index, interest)
    } catch {
      devices.pointee.witness.forget(descriptor)
      table.pointee.free(index)
      throw error
    }
    let slot = table.pointee.slots + Int(index)
    slot.pointee.context = context
    slot.pointee.wanted = interest
    PollerCounters.add(counters.registrations, 1)
    return SlotID(index: index)
  }

  /// Takes a registration out, at once; noted changes and a report not yet read are void (rules `B4`, `S8`). O(1)
  ///
  /// Where the descriptor does not stand any more for the file that was registered, the kernel's set is built anew before it
  /// is next asked: neither backend can take out a closed descriptor of which a duplicate lives on.
  package final func unregister(_ id: SlotID) {
    precondition(isRegistered(id), "the slot is not registered")
    let slot = table.pointee.slots + Int(id.index)
    if !slot.pointee.armed.isEmpty { removeFromKernel(id.index) }
    if needsWitness(id.index), confirm(id.index) { devices.pointee.witness.forget(slot.pointee.descriptor) }
    voidReport(id.index)
    table.pointee.free(id.index)
    PollerCounters.add(counters.registrations, -1)
  }

  /// Notes what the caller wants to hear of; the kernel is told on the way into the next wait if it is still different
  /// then, so that arming and disarming again costs nothing (rule `B4`). O(1), no system call.
  package final func setInterest(_ id: SlotID, _ interest: Interest) {
    precondition(isRegistered(id), "the slot is not registered")
    let slot = table.pointee.slots + Int(id.index)
    slot.pointee.wanted = interest
    if slot.pointee.armed != interest { table.pointee.markDirty(id.index) }
  }

  /// Makes sure that a registration is one of the file that its descriptor stands for now; called when another source
  /// joins it, since the number may have been closed and used again without a cancel (rule `S8`).
  ///
  /// If it is certainly the same, one system call for a socket and nothing else. Otherwise the descriptor is taken out and
  /// registered again under a new token, with the interest that is wanted now.
  ///
  /// - Throws: `BackendError` with operation `add`; the kernel does not watch the descriptor then, the slot stays.
  package final func revalidate(_ id: SlotID) throws(BackendError) {
    precondition(isRegistered(id), "the slot is not registered")
    let slot = table.pointee.slots + Int(id.index)
    let descriptor = slot.pointee.descriptor
    guard mismatch(of: id) != nil else { return }
    guard let current = OpenFileIdentity(of: descriptor) else {
      throw BackendError(.add, descriptor: descriptor, code: EBADF)
    }
    if !slot.pointee.armed.isEmpty {
      backendRemove(descriptor, table.pointee.token(of: id.index), from: slot.pointee.armed)
      noteArmed(id.index, [])
    }
    harvest.pointee.needsRebuild = true
    voidReport(id.index)
    slot.pointee.generation &+= 1
    slot.pointee.identity = current
    do {
      try noteInWitness(id.index)
      try addToKernel(id.index, slot.pointee.wanted)
    } catch {
      slot.pointee.wanted = []
      throw error
    }
  }

  /// What is wrong with a registration's descriptor, if anything is: it is closed (EBADF), or stands for another file than
  /// was registered (ENOENT). O(1), one system call for a socket.
  package final func mismatch(of id: SlotID) -> BackendError? {
    let slot = table.pointee.slots + Int(id.index)
    let descriptor = slot.pointee.descriptor
    guard let former = slot.pointee.identity, let current = OpenFileIdentity(of: descriptor) else {
      return BackendError(.change, descriptor: descriptor, code: EBADF)
    }
    if current.couldBe(former), current.isProof || devices.pointee.witness.knows(descriptor) { return nil }
    return BackendError(.change, descriptor: descriptor, code: ENOENT)
  }

  /// Whether only the witness can tell who is behind a registration's number.
  final func needsWitness(_ index: UInt32) -> Bool {
    table.pointee.slots[Int(index)].identity?.isProof == false
  }

  private func noteInWitness(_ index: UInt32) throws(BackendError) {
    if needsWitness(index) { try devices.pointee.witness.note(table.pointee.slots[Int(index)].descriptor) }
  }

  /// The registration of a descriptor, if there is one. O(1)
  package final func slot(for descriptor: CInt) -> SlotID? {
    let index = table.pointee.slot(for: descriptor)
    guard index != SlotTable.none, index >= Devices.count else { return nil }
    return SlotID(index: index)
  }

  /// Whether a slot is one of the caller's registrations. O(1)
  package final func isRegistered(_ id: SlotID) -> Bool {
    id.index >= Devices.count && table.pointee.isUsed(id.index)
  }

  /// The registered descriptor. O(1)
  package final func descriptor(of id: SlotID) -> CInt {
    precondition(isRegistered(id), "the slot is not registered")
    return table.pointee.slots[Int(id.index)].descriptor
  }

  /// The caller's word. O(1)
  package final func context(of id: SlotID) -> UInt {
    precondition(isRegistered(id), "the slot is not registered")
    return table.pointee.slots[Int(id.index)].context
  }

  /// Replaces the caller's word; reports of later waits bring the new one. O(1)
  package final func setContext(_ id: SlotID, _ context: UInt) {
    precondition(isRegistered(id), "the slot is not registered")
    table.pointee.slots[Int(id.index)].context = context
  }

  /// What the caller wants to hear of. O(1)
  package final func interest(of id: SlotID) -> Interest {
    precondition(isRegistered(id), "the slot is not registered")
    return table.pointee.slots[Int(id.index)].wanted
  }

  /// The caller's registrations, in the order of their slots. O(slots)
  package final var registrations: [SlotID] {
    (Devices.count..<max(Devices.count, table.pointee.count))
      .filter { table.pointee.isUsed($0) }
      .map { SlotID(index: $0) }
  }

  // MARK: The kernel's side

  /// Notes what the kernel watches for a slot.
  final func noteArmed(_ index: UInt32, _ interest: Interest) {
    let slot = table.pointee.slots + Int(index)
    PollerCounters.add(
      counters.armedDirections, interest.directionCount - slot.pointee.armed.directionCount)
    slot.pointee.armed = interest
  }

  /// Adds a slot that the kernel does not have; an empty interest only asks whether it could.
  private func addToKernel(_ index: UInt32, _ interest: Interest) throws(BackendError) {
    let descriptor = table.pointee.slots[Int(index)].descriptor
    let token = table.pointee.token(of: index)
    do {
      try backendAdd(descriptor, token, interest.isEmpty ? .read : interest)
    } catch {
      // A backend may have entered it in part, and not have been able to take that out.
      confirm(index)
      throw error
    }
    if interest.isEmpty {
      backendRemove(descriptor, token, from: .read)
      confirm(index)
    } else {
      noteArmed(index, interest)
    }
  }

  /// Takes out a slot that the kernel has, or has a rebuild do it where that has not worked.
  final func removeFromKernel(_ index: UInt32) {
    let slot = table.pointee.slots + Int(index)
    backendRemove(slot.pointee.descriptor, table.pointee.token(of: index), from: slot.pointee.armed)
    confirm(index)
    noteArmed(index, [])
  }

  /// Whether a slot's number stands for its file; if not, what the kernel has of it has to go with a rebuild. Asked after what
  /// was done by number: whoever has the number then had it before, unless it has come back to him in between.
  @discardableResult
  private func confirm(_ index: UInt32) -> Bool {
    if mismatch(of: SlotID(index: index)) == nil { return true }
    harvest.pointee.needsRebuild = true
    return false
  }

  /// Takes away a report of the last wait that the caller has not read yet.
  private func voidReport(_ index: UInt32) {
    let noted = table.pointee.slots[Int(index)].reportPosition
    guard let position = harvest.pointee.position(of: index, noted) else { return }
    harvest.pointee.entries[position].readiness = []
  }
}
