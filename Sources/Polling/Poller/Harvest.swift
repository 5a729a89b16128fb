/// What the last wait brought, and what is still owed to the caller or to the kernel.
struct Harvest: ~Copyable {
  /// Reports, already cut down and without stale ones.
  let entries: UnsafeMutablePointer<Ready>
  let capacity: Int
  var count = 0

  /// Whether the waker ended the wait.
  var wasWoken = false

  /// Whether the alarm rang.
  var alarmRang = false

  /// Whether a report came under a token that is not in use: the kernel's set holds what the table does not.
  var foundStale = false

  /// Whether the kernel's set has to be built anew before the next wait.
  var needsRebuild = false

  /// The number of the wait whose reports these are.
  var waitNumber: UInt64 = 0

  /// Errors of changes and rebuilds, for the caller to take.
  var failures: [RegistrationFailure] = []

  init(capacity: Int) {
    self.capacity = capacity
    entries = .allocate(capacity: capacity)
  }

  deinit {
    entries.deallocate()
  }

  /// Forgets the last wait's reports.
  mutating func begin(_ number: UInt64) {
    waitNumber = number
    count = 0
    wasWoken = false
    alarmRang = false
    foundStale = false
  }

  /// Where in this harvest the report of a slot stands, if it is there, and not taken away. A position that an earlier
  /// harvest gave is beyond the end, or another slot's place.
  @inline(__always)
  func position(of slot: UInt32, _ noted: UInt32) -> Int? {
    let position = Int(noted)
    return position < count && entries[position].slot.index == slot && !entries[position].readiness.isEmpty
      ? position : nil
  }

  /// Whether there is anything to tell the caller.
  var isWorthReturning: Bool {
    count > 0 || wasWoken || alarmRang || !failures.isEmpty
  }
}
