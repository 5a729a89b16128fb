internal import CLinux
internal import Glibc

/// The two clocks on which a poller can be told to wake up. Neither follows changes of the wall clock (rule `T2`).
package enum PollerClock: Sendable, Hashable, CaseIterable {
  /// Stands still while the machine sleeps: `CLOCK_MONOTONIC`.
  case suspending

  /// Goes on while the machine sleeps: `CLOCK_BOOTTIME`.
  case continuous

  var identifier: clockid_t {
    switch self {
    case .suspending: CLOCK_MONOTONIC
    case .continuous: CLOCK_BOOTTIME
    }
  }

  /// Nanoseconds since the clock's beginning. No system call: the kernel's page is read.
  package var now: UInt64 {
    var time = timespec()
    clock_gettime(identifier, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
