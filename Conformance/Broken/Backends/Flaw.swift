import Polling

/// One mistake that the author of a backend might make: each call is passed on, but for those that a flaw spoils.
protocol Flaw {
  init()
  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError)
  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest, in base: inout Sound
  ) throws(BackendError)
  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound)
  /// Returns what is to be reported of what one wait of the sound backend brought.
  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report]
}

/// A report on its way to the caller's buffer.
struct Report {
  var token: Token
  var readiness: Interest
}

extension Flaw {
  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    try base.add(descriptor, token, interest)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest, in base: inout Sound
  ) throws(BackendError) {
    try base.change(descriptor, token, from: old, to: new)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest, in base: inout Sound) {
    base.remove(descriptor, token, from: interest)
  }

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    try soundReports(mode, capacity: capacity, in: &base)
  }

  /// What the sound backend reports.
  func soundReports(
    _ mode: WaitMode, capacity: Int, in base: inout Sound
  ) throws(BackendError) -> [Report] {
    var buffer = ReadyBuffer(capacity: capacity)
    try base.wait(mode, into: &buffer)
    var reports: [Report] = []
    for position in 0..<buffer.count {
      reports.append(Report(token: buffer[position].token, readiness: buffer[position].readiness))
    }
    return reports
  }
}

/// A backend with one flaw.
struct BrokenBackend<F: Flaw>: PollingBackend, ~Copyable {
  private var base: Sound
  private var flaw = F()

  static var identity: BackendIdentity { BackendIdentity("broken: \(F.self)") }
  static var traits: BackendTraits { Sound.traits }

  init() throws(BackendError) { base = try Sound() }

  mutating func add(_ descriptor: CInt, _ token: Token, _ interest: Interest) throws(BackendError) {
    try flaw.add(descriptor, token, interest, in: &base)
  }

  mutating func change(
    _ descriptor: CInt, _ token: Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    try flaw.change(descriptor, token, from: old, to: new, in: &base)
  }

  mutating func remove(_ descriptor: CInt, _ token: Token, from interest: Interest) {
    flaw.remove(descriptor, token, from: interest, in: &base)
  }

  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    for report in try flaw.wait(mode, capacity: ready.remaining, in: &base) {
      ready.append(report.token, report.readiness)
    }
  }
}
