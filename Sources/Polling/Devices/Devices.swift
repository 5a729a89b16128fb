internal import Glibc

/// The descriptors that a poller makes for itself; those that it waits for, in the order of the slots that they occupy.
struct Devices: ~Copyable {
  let waker: Waker
  var suspending: DeadlineTimer
  var continuous: DeadlineTimer
  let alarm: Alarm
  /// Not registered, as nobody waits for it.
  var witness = Witness()

  /// The first slots of every table are the devices', so one comparison tells them from the caller's registrations.
  static var count: UInt32 { 4 }

  init() throws(BackendError) {
    // Locals first: an error may not leave a value that is half there; what is made already is closed on the way out.
    let waker = try Waker()
    let suspending = try DeadlineTimer(.suspending)
    let continuous = try DeadlineTimer(.continuous)
    let alarm = try Alarm()
    self.waker = waker
    self.suspending = suspending
    self.continuous = continuous
    self.alarm = alarm
  }

  /// The descriptor of the device in a slot.
  func descriptor(inSlot slot: UInt32) -> CInt {
    switch slot {
    case 0: waker.descriptor
    case 1: suspending.descriptor
    case 2: continuous.descriptor
    default: alarm.descriptor
    }
  }

  /// Sleeps until one of them is ready, and for the given time at most.
  func wait(atMostMilliseconds limit: CInt) {
    withUnsafeTemporaryAllocation(of: pollfd.self, capacity: Int(Devices.count)) { list in
      for slot in 0..<Devices.count {
        let item = pollfd(fd: descriptor(inSlot: slot), events: Int16(POLLIN), revents: 0)
        list.initializeElement(at: Int(slot), to: item)
      }
      // Whatever ends it, the caller looks again.
      _ = poll(list.baseAddress, nfds_t(list.count), limit)
    }
  }

  /// Whether either deadline has come.
  @inline(__always)
  var isDeadlineDue: Bool { suspending.isDue || continuous.isDue }

  /// Tells the kernel both deadlines, as far as it has to know.
  mutating func prepareToBlock() {
    suspending.prepareToBlock()
    continuous.prepareToBlock()
  }
}
