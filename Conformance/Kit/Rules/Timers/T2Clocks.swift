import Glibc
import HawtDispatch

extension Rule {
  /// T2: the clock is the caller's choice.
  static let t2 = Rule(
    "T2", "The caller chooses the clock (continuous or suspending); wall-clock changes have no effect.",
    why:
      "A lease has to end while the laptop sleeps, a frame must not; and whoever sets the date must not fire a thousand "
      + "timeouts.",
    whereToLook: ["Sources/Polling/Devices/DeadlineTimer.swift", "Sources/HawtDispatch/Timers"],
    capabilities: [.processFiles],
    checks: [
      Check("the kernel is told each deadline on the clock that was chosen") {
        try $0.expectSuccess(of: "the kernel's view")
      },
      Check("timers on both clocks at once", bothClocksAtOnce),
    ],
    scenarios: [Scenario("the kernel's view", kernelsView)])
}

/// A timerfd of this process, as the kernel describes it.
private struct KernelTimer {
  let clock: CInt
  /// How many seconds are left; 0 if it is not set, or nearly over.
  let seconds: Int

  static var all: [KernelTimer] {
    Process.entries(of: "/proc/self/fd").compactMap { number in
      guard Process.link("/proc/self/fd/\(number)") == "anon_inode:[timerfd]" else { return nil }
      guard let text = Process.text(of: "/proc/self/fdinfo/\(number)", limit: 4_096) else { return nil }
      var values: [String: String] = [:]
      for line in text.split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { continue }
        values[String(parts[0])] = String(parts[1].drop { $0 == " " || $0 == "\t" })
      }
      let value = (values["it_value"] ?? "").drop { $0 == "(" }.prefix { $0 != "," }
      return KernelTimer(clock: values["clockid"].flatMap { CInt($0) } ?? -1, seconds: Int(value) ?? 0)
    }
  }

  /// Those that are set to a time that no check but this one waits for.
  static var far: [KernelTimer] { all.filter { $0.seconds > 1_000 } }
}

/// A machine cannot be put to sleep by a check, nor its date be set; what the kernel was told shows what would happen.
private func kernelsView(_ context: CheckContext) throws {
  for kind in 0..<5 {
    for clock in TimerClock.allCases {
      // Each on a dispatcher of its own: a deadline that was cancelled may stay with the kernel, and does no harm.
      let before = KernelTimer.far
      let bench = try context.bench()
      let target = try bench.targets()[kind]
      let source = bench.dispatcher.makeTimerSource(target: target.queue, clock: clock) { _ in }
      source.schedule(after: .seconds(3_000))
      try source.activate()
      try context.eventually(
        "the kernel has another deadline, for a timer on \(target.name)", { KernelTimer.far.count > before.count })
      for other in TimerClock.allCases {
        let more = KernelTimer.far.count { $0.clock == other.system } - before.count { $0.clock == other.system }
        context.expect(
          more == (other == clock ? 1 : 0),
          "a timer on \(clock) set \(more) kernel timers of the clock that is \(other)")
      }
      let wall = KernelTimer.all.filter { $0.clock == CLOCK_REALTIME || $0.clock == CLOCK_REALTIME_ALARM }
      context.expect(wall.isEmpty, "\(wall.count) kernel timers follow the wall clock")
      source.cancel()
      context.record("kernel deadlines looked at")
    }
  }
}

private func bothClocksAtOnce(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let fired = context.recorder(of: String.self)
    // Apart by more than the machine takes to arm both; the two clocks run alike while the machine is awake.
    target.queue.asyncAfter(.milliseconds(30), clock: .suspending, leeway: .zero) { fired.append("suspending 30") }
    target.queue.asyncAfter(.milliseconds(3), clock: .continuous, leeway: .zero) { fired.append("continuous 3") }
    target.queue.asyncAfter(.milliseconds(60), clock: .continuous, leeway: .zero) { fired.append("continuous 60") }
    target.queue.asyncAfter(.seconds(3_000), clock: .suspending, leeway: .zero) { fired.append("never") }.cancel()
    let all = try fired.wait(forCount: 3, of: "timers on both clocks on \(target.name)")
    context.expect(
      Set(all) == ["continuous 3", "suspending 30", "continuous 60"], "on \(target.name), there fired \(all)")
    context.record("timers on two clocks", 3)
  }
}
