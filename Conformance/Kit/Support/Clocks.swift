import CLinux
import Glibc

/// A moment of the monotonic clock, in nanoseconds.
struct Moment: Comparable, Sendable {
  let nanoseconds: Int64

  static var now: Moment { Moment(of: CLOCK_MONOTONIC) }

  init(of clock: clockid_t) {
    var time = timespec()
    clock_gettime(clock, &time)
    nanoseconds = Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static func < (left: Moment, right: Moment) -> Bool { left.nanoseconds < right.nanoseconds }
  static func - (left: Moment, right: Moment) -> Duration { .nanoseconds(left.nanoseconds - right.nanoseconds) }
  var elapsed: Duration { Moment.now - self }
}

extension Duration {
  /// Whole nanoseconds, for measurements (not for the extremes of the type).
  var inNanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }

  /// For reports: three digits are plenty.
  var brief: String {
    let nanoseconds = inNanoseconds
    if nanoseconds < 10_000 { return "\(nanoseconds) ns" }
    if nanoseconds < 10_000_000 { return "\(nanoseconds / 1_000) µs" }
    if nanoseconds < 10_000_000_000 { return "\(nanoseconds / 1_000_000) ms" }
    return "\(nanoseconds / 1_000_000_000) s"
  }
}

/// CPU time that the whole process has used.
func processorTime() -> Moment { Moment(of: CLOCK_PROCESS_CPUTIME_ID) }
/// CPU time that the calling thread has used.
func threadProcessorTime() -> Moment { Moment(of: CLOCK_THREAD_CPUTIME_ID) }
