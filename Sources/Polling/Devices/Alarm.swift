internal import CLinux
internal import Glibc

/// A timer that any thread may set for a poller that it does not hold: a timerfd on `CLOCK_MONOTONIC`.
///
/// It is kept apart from the deadlines because those belong to the lease's holder, which keeps books on what it told the
/// kernel; the alarm has no books, the kernel's own atomicity is all that it needs.
struct Alarm: ~Copyable {
  private let timer: OwnedDescriptor

  init() throws(BackendError) {
    timer = try OwnedDescriptor(creating: timerfd_create(CLOCK_MONOTONIC, hawt_timerfd_flags))
  }

  var descriptor: CInt { timer.number }

  /// Rings once after the given time; replaces an earlier setting. One system call, legal on every thread. By number, as
  /// the alarm itself belongs to the lease's holder like all devices.
  static func set(_ descriptor: CInt, afterNanoseconds nanoseconds: UInt64) {
    // Zero would disarm the timer instead of ringing at once.
    let delay = max(1, nanoseconds)
    var setting = itimerspec()
    setting.it_value.tv_sec = time_t(delay / 1_000_000_000)
    setting.it_value.tv_nsec = Int(delay % 1_000_000_000)
    let result = timerfd_settime(descriptor, 0, &setting, nil)
    precondition(result == 0, "timerfd_settime refused an alarm")
  }

  /// Makes it quiet after it rang. A read and not a setting: a setting would wipe out one that another thread has just made.
  borrowing func clear() {
    timer.drainCounter()
  }
}
