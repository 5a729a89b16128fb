import CLinux
import Foundation
import Glibc
import Testing

@testable import HawtDispatch

@Suite struct SettingsTests {
  /// Runs `body` with a folder of its own that has these files, and no others.
  private func withFiles(_ files: [String: String], _ body: (String) throws -> Void) throws {
    let root = FileManager.default.temporaryDirectory.appending(path: "hawt-cgroup-\(UUID())")
    defer { try? FileManager.default.removeItem(at: root) }
    for (name, text) in files {
      let file = root.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
    try body(root.path)
  }

  @Test func readsTheQuotaOfEitherVersionOfControlGroups() throws {
    try withFiles(["cpu.max": "150000 100000\n"]) { #expect(CPUQuota(root: $0, membership: "").quota == 1.5) }
    try withFiles(["cpu.max": "max 100000\n"]) { #expect(CPUQuota(root: $0, membership: "").quota == nil) }
    try withFiles(["cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"]) {
      #expect(CPUQuota(root: $0, membership: "").quota == 0.5)
      #expect(CPUQuota(root: $0, membership: "").usableCPUs == 1)
    }
    try withFiles(["cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"]) {
      #expect(CPUQuota(root: $0, membership: "").quota == nil)
    }
    try withFiles(["cpu.max": "nonsense"]) { #expect(CPUQuota(root: $0, membership: "").usableCPUs >= 1) }
  }

  @Test func theLeastQuotaOfTheOwnGroupAndThoseAroundItCounts() throws {
    let unified = ["self": "0::/a/b\n", "a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"]
    try withFiles(unified) { #expect(CPUQuota(root: $0, membership: $0 + "/self").quota == 2) }
    let first = [
      "self": "7:memory:/m\n3:cpu,cpuacct:/a\n0::/\n", "cpu/cpu.cfs_quota_us": "400000\n",
      "cpu/cpu.cfs_period_us": "100000\n", "cpu/a/cpu.cfs_quota_us": "300000\n", "cpu/a/cpu.cfs_period_us": "100000\n",
    ]
    try withFiles(first) { #expect(CPUQuota(root: $0, membership: $0 + "/self").quota == 3) }
  }

  @Test func theEnvironmentFillsInWhatTheConfigurationLeavesOpen() throws {
    let name = Backend.default.identity.name
    // An identity also tells versions.
    let short = String(name.prefix { $0 != " " })
    let variables = [
      "HAWTDISPATCH_WORKERS": "3", "HAWTDISPATCH_BACKEND": short, "HAWTDISPATCH_IDLE_SPIN_US": "25",
    ]
    let open = try Settings(.init(), environment: { variables[$0] })
    #expect(open.workers == 3 && open.idleSpin == 25_000 && open.backend.identity.name == name)
    let given = try Settings(.init(workers: 2, idleSpin: .zero), environment: { variables[$0] })
    #expect(given.workers == 2 && given.idleSpin == 0)
    // What it leaves open is all that is looked at.
    let fixed = Configuration(workers: 2, backend: .default, idleSpin: .zero)
    #expect(try Settings(fixed, environment: { _ in "nonsense" }).workers == 2)
    let none = try Settings(.init(), environment: { _ in nil })
    #expect(none.workers == CPUQuota().usableCPUs && none.idleSpin == 0)
  }

  @Test(arguments: [
    ("HAWTDISPATCH_WORKERS", "two"), ("HAWTDISPATCH_WORKERS", "0"), ("HAWTDISPATCH_BACKEND", "kqueue"),
    ("HAWTDISPATCH_IDLE_SPIN_US", "long"), ("HAWTDISPATCH_IDLE_SPIN_US", "-1"),
  ])
  func nonsenseInTheEnvironmentIsRefused(variable: String, text: String) {
    #expect(throws: DispatcherError.self) { try Settings(.init(), environment: { $0 == variable ? text : nil }) }
  }

  @Test func hooksRunOnEachWorkersThreadAtItsStartAndItsStop() throws {
    let calls = Guarded<[String: [pthread_t]]>([:])
    let note: @Sendable (String) -> Void = { what in calls.withLock { $0[what, default: []].append(pthread_self()) } }
    let dispatcher = try Dispatcher(
      configuration: .init(
        workers: 2, onWorkerStart: { note("start \($0)") }, onWorkerStop: { note("stop \($0)") }))
    for round in 1...2 {
      for queue in dispatcher.threadQueues { try queue.sync { note("task \(queue.worker)") } }
      dispatcher.shutdownAndWait()
      let seen = calls.withLock { $0 }
      for worker in 0..<2 {
        #expect(seen["start \(worker)"]?.count == round && seen["stop \(worker)"]?.count == round)
        #expect(seen["start \(worker)"] == seen["task \(worker)"] && seen["stop \(worker)"] == seen["task \(worker)"])
      }
      if round == 1 { try dispatcher.restart() }
    }
  }

  @Test func workersAreBoundToOneCPUEachIfAsked() throws {
    let mine = hawt_affinity_count(0)
    let usable = CPUQuota().usableCPUs
    for isBound in [true, false] {
      let dispatcher = try Dispatcher(configuration: .init(workers: 2, bindsWorkersToCPUs: isBound))
      for queue in dispatcher.threadQueues {
        #expect(try queue.sync { hawt_affinity_count(0) } == (isBound ? 1 : mine))
        // The process may use as many as before.
        #expect(try queue.sync { CPUQuota().usableCPUs } == usable)
      }
      dispatcher.shutdownAndWait()
    }
  }

  @Test(arguments: [0, -1, 1025, 100_000])
  func refusesAWorkerCountOutOfRange(count: Int) {
    #expect(throws: DispatcherError.invalidWorkerCount(count)) {
      try Dispatcher(configuration: .init(workers: count))
    }
  }

  @Test func refusesBudgetsOutOfRange() {
    #expect(throws: DispatcherError.self) { try Dispatcher(configuration: .init(queueBudget: .zero)) }
    #expect(throws: DispatcherError.self) { try Dispatcher(configuration: .init(tasksBetweenClockChecks: 0)) }
    #expect(throws: DispatcherError.self) { try Dispatcher(configuration: .init(idleSpin: .seconds(2))) }
  }

  @Test func threadNamesFitTheKernel() {
    #expect(WorkerThread.name("edge", 3) == "edge-3")
    #expect(WorkerThread.name("a very long name indeed", 1023) == "a very lon-1023")
    #expect(WorkerThread.name("line\nbreak\0", 0) == "line_break_-0")
    #expect(WorkerThread.name("ümläüt ünd möhr", 1).utf8.count <= 15)
  }

  @Test func delaysAreRoundedUpAndCut() {
    #expect(Duration.nanoseconds(5).clampedNanoseconds == 5)
    #expect(Duration(secondsComponent: 0, attosecondsComponent: 1).clampedNanoseconds == 1)
    #expect(Duration.seconds(-3).clampedNanoseconds == 0)
    #expect(Duration.seconds(Int64.max).clampedNanoseconds == UInt64(Int64.max))
    #expect(TimerClock.continuous.deadline(after: .seconds(Int64.max)) == UInt64(Int64.max))
  }
}
