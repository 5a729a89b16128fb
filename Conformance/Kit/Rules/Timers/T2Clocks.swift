import Glibc
import HawtDispatch

extension Rule {
  /// T2: the clock is the caller's choice.
  static let t2 = Rule(
    "T2", "The caller chooses the clock (continuous or suspending); wall-clock changes have no effect.",
    why: "A lease has to end while the laptop sleeps, a frame must not; and whoever sets the date must not fire a thousand "
      + "timeouts.",
    whereToLook: ["Sources/Polling/Devices/DeadlineTimer.swift", "Sources/HawtDispatch/Timers"],
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
  let isArmed: Bool
  let flags: Int

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
      return KernelTimer(
        clock: values["clockid"].flatMap { CInt($0) } ?? -1, isArmed: values["it_value"] != "(0, 0)",
        flags: values["settime flags"].flatMap { Int($0, radix: 8) } ?? 0)
    }
  }
}

/// A machine cannot be put to sleep by a check, nor its date be set; what the kernel was told shows what would happen.
private func kernelsView(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for clock in TimerClock.allCases {
      try context.eventually("no timer is armed", { KernelTimer.all.allSatisfy { !$0.isArmed } })
      let source = bench.dispatcher.makeTimerSource(target: target.queue, clock: clock) { _ in }
      source.schedule(after: .seconds(3_000))
      try source.activate()
      try context.eventually(
        "the kernel has a deadline on \(clock) for \(target.name)",
        { KernelTimer.all.contains { $0.isArmed && $0.clock == clock.system } })
      let wrong = KernelTimer.all.filter { $0.isArmed && $0.clock != clock.system }
      context.expect(
        wrong.isEmpty, "a timer on \(clock) armed a kernel timer of clock \(wrong.map(\.clock)), wanted \(clock.system)")
      source.cancel()
      context.record("kernel deadlines looked at")
      // A deadline that was cancelled may stay with the kernel until it passes: it must not, for the next round.
      try restore(bench, clock)
    }
  }
  let wall = KernelTimer.all.filter { $0.clock == CLOCK_REALTIME || $0.clock == CLOCK_REALTIME_ALARM }
  context.expect(wall.isEmpty, "\(wall.count) kernel timers follow the wall clock")
}

/// Brings the kernel's deadline of each worker near, so that it passes and is forgotten.
private func restore(_ bench: Bench, _ clock: TimerClock) throws {
  for thread in bench.dispatcher.threadQueues {
    let fired = bench.context.latch()
    thread.asyncAfter(.milliseconds(1), clock: clock, leeway: .zero) { fired.signal() }
    try fired.wait(for: "a short timer on \(clock)")
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
