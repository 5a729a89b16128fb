import Glibc
import Polling

// Flaws of wait(_:into:): what is reported, when, and how often.

/// Nothing is wrong: the control, which must pass what the others fail.
struct NoFlaw: Flaw {}

/// A level is told once, until it was away.
struct EdgeTriggered: Flaw {
  private var told: [Token: Interest] = [:]

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    let reports = try soundReports(mode, capacity: capacity, in: &base)
    let before = told
    told = [:]
    for report in reports { told[report.token] = report.readiness }
    return reports.filter { !$0.readiness.subtracting(before[$0.token] ?? []).isEmpty }
  }
}

/// Hang-ups and errors are taken for nobody's business.
struct MaskedHangUp: Flaw {
  private var descriptors: [Token: CInt] = [:]

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    try base.add(descriptor, token, interest)
    descriptors[token] = descriptor
  }

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    try soundReports(mode, capacity: capacity, in: &base).filter { report in
      var entry = pollfd(fd: descriptors[report.token] ?? -1, events: 0, revents: 0)
      return poll(&entry, 1, 0) <= 0
    }
  }
}

/// A registration is told ready by the first wait after it, whatever the kernel says.
struct EarlyReport: Flaw {
  private var fresh: [Report] = []

  mutating func add(
    _ descriptor: CInt, _ token: Token, _ interest: Interest, in base: inout Sound
  ) throws(BackendError) {
    try base.add(descriptor, token, interest)
    fresh.append(Report(token: token, readiness: interest))
  }

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    let early = fresh
    fresh = []
    let reports = try soundReports(early.isEmpty ? mode : .now, capacity: capacity, in: &base)
    return reports + early.filter { one in !reports.contains { $0.token == one.token } }
  }
}

/// Each direction is told as the other.
struct DirectionsExchanged: Flaw {
  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    try soundReports(mode, capacity: capacity, in: &base).map { report in
      switch report.readiness {
      case .read: Report(token: report.token, readiness: .write)
      case .write: Report(token: report.token, readiness: .read)
      default: report
      }
    }
  }
}

/// A report for each direction, so that one slot stands in the buffer twice.
struct DuplicatedSlot: Flaw {
  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    try soundReports(mode, capacity: capacity, in: &base).flatMap { report in
      [Interest.read, .write].filter(report.readiness.contains).map { Report(token: report.token, readiness: $0) }
    }
  }
}

/// Who was registered first comes first, each time, and a small buffer has no room for others.
struct FavouritesFirst: Flaw {
  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    let reports = try soundReports(mode, capacity: 4_096, in: &base)
    return Array(reports.sorted { $0.token.slot < $1.token.slot }.prefix(capacity))
  }
}

/// The first slot, where a poller has its waker, is overlooked.
struct LostWakeUp: Flaw {
  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    try soundReports(mode, capacity: capacity, in: &base).filter { $0.token.slot != 0 }
  }
}

/// A wait that should sleep gives up soon, with nothing, as one that a signal has interrupted.
struct WaitEndsEmpty: Flaw {
  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    for _ in 0..<5 {
      let reports = try soundReports(.now, capacity: capacity, in: &base)
      guard reports.isEmpty, mode == .untilReady else { return reports }
      _ = poll(nil, 0, 1)
    }
    return []
  }
}

/// Whoever did not make the backend is told nothing.
struct OneThreadOnly: Flaw {
  private let owner = UInt(pthread_self())

  mutating func wait(_ mode: WaitMode, capacity: Int, in base: inout Sound) throws(BackendError) -> [Report] {
    let reports = try soundReports(UInt(pthread_self()) == owner ? mode : .now, capacity: capacity, in: &base)
    return UInt(pthread_self()) == owner ? reports : []
  }
}
