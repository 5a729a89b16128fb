internal import Glibc

/// Nanoseconds of a clock, as an absolute point of time; 2^63 years are enough.
typealias Nanoseconds = UInt64

extension TimerClock {
  /// The kernel's name of the clock.
  var identifier: clockid_t {
    switch self {
    case .continuous: CLOCK_BOOTTIME
    case .suspending: CLOCK_MONOTONIC
    }
  }

  /// The time of this clock now.
  var now: Nanoseconds { readClock(identifier) }

  /// Both clocks at one moment: a thread that lost the processor between two readings would take a timer of one clock for
  /// due, and an earlier one of the other for not due yet. The suspending one may be 10 µs late, which makes nothing early.
  static var bothNow: (continuous: Nanoseconds, suspending: Nanoseconds) {
    var suspending = TimerClock.suspending.now
    while true {
      let continuous = TimerClock.continuous.now
      let after = TimerClock.suspending.now
      if after &- suspending < 10_000 { return (continuous, suspending) }
      suspending = after
    }
  }

  /// The point of time that is `delay` from now; in the past for a negative delay, at the end of time for one that
  /// does not fit.
  func deadline(after delay: Duration) -> Nanoseconds {
    let start = now
    guard delay > .zero else { return start }
    let (sum, overflow) = start.addingReportingOverflow(delay.clampedNanoseconds)
    // The kernel takes signed seconds; nobody can tell the end of time from 292 years.
    return overflow || sum > Nanoseconds(Int64.max) ? Nanoseconds(Int64.max) : sum
  }
}

extension Duration {
  /// The whole nanoseconds of a duration, rounded up so that nothing is early, and cut to 0 … 2^63-1.
  var clampedNanoseconds: UInt64 {
    let all = attoseconds
    guard all > 0 else { return 0 }
    // Up to 18 seconds one machine word holds it, and spares the long division.
    let rounded = all >> 64 == 0 ? Int128((UInt64(all) - 1) / 1_000_000_000 + 1) : (all - 1) / 1_000_000_000 + 1
    return UInt64(min(rounded, Int128(Int64.max)))
  }
}

/// The clock that budgets, stuck workers and shutdown deadlines are measured on.
func monotonicNow() -> Nanoseconds { readClock(CLOCK_MONOTONIC) }

/// The processor time that the calling thread has had.
func processorTime() -> Nanoseconds { readClock(CLOCK_THREAD_CPUTIME_ID) }

private func readClock(_ clock: clockid_t) -> Nanoseconds {
  var time = timespec()
  clock_gettime(clock, &time)
  return Nanoseconds(time.tv_sec) * 1_000_000_000 + Nanoseconds(time.tv_nsec)
}
