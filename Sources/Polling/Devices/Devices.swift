/// The descriptors that a poller makes for itself, in the order of the slots that they occupy.
struct Devices: ~Copyable {
  let waker: Waker
  var suspending: DeadlineTimer
  var continuous: DeadlineTimer
  let alarm: Alarm

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

  /// Whether either deadline has come.
  var isDeadlineDue: Bool { suspending.isDue || continuous.isDue }

  /// Tells the kernel both deadlines, as far as it has to know.
  mutating func prepareToBlock() {
    suspending.prepareToBlock()
    continuous.prepareToBlock()
  }
}
