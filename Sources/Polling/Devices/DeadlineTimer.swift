internal import CLinux
internal import Glibc

/// Ends a wait at a point in time: a timerfd that is registered like any descriptor.
///
/// Setting the timerfd is a system call, so it is put off until a wait is going to block and then made only if the
/// deadline came nearer, or if what was set has rung. A deadline that moved away leaves the timerfd as it is: it rings too
/// early once, the poller sets it again and goes on waiting (rule `T4`).
///
/// ```
///                 deadline nearer, or rung            rings
///   unset ───────────────────────────────▶ set ───────────────▶ rung
///     ▲                                     ▲                     │
///     └── rung, no deadline any more ───────┴── rung, deadline ───┘
/// ```
struct DeadlineTimer: ~Copyable {
  private let timer: OwnedDescriptor
  private let clock: PollerClock

  /// What the caller wants, absolute; `never` if nothing.
  private var wanted = Self.never

  /// What the kernel was told; `never` if it was told nothing.
  private var armed = Self.never

  /// Whether the timerfd has rung and is readable since; setting it resets that, which saves the read.
  private var hasRung = false

  private static var never: UInt64 { .max }

  init(_ clock: PollerClock) throws(BackendError) {
    self.clock = clock
    timer = try OwnedDescriptor(creating: timerfd_create(clock.identifier, hawt_timerfd_flags))
  }

  var descriptor: CInt { timer.number }

  /// Notes the deadline. No system call.
  mutating func setDeadline(_ nanoseconds: UInt64?) {
    wanted = nanoseconds ?? Self.never
  }

  /// Notes that the timerfd is readable.
  mutating func noteRung() {
    hasRung = true
  }

  /// Whether the deadline has come. No system call.
  var isDue: Bool {
    wanted != Self.never && clock.now >= wanted
  }

  /// Tells the kernel what it has to know before a wait that blocks. At most one system call.
  mutating func prepareToBlock() {
    guard hasRung || wanted < armed else { return }
    var setting = itimerspec()
    if wanted != Self.never {
      setting.it_value.tv_sec = time_t(wanted / 1_000_000_000)
      setting.it_value.tv_nsec = Int(wanted % 1_000_000_000)
    }
    let result = timerfd_settime(timer.number, hawt_timerfd_absolute, &setting, nil)
    precondition(result == 0, "timerfd_settime refused a deadline")
    armed = wanted
    hasRung = false
  }
}
