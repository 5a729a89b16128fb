import Glibc
import Testing

@testable import HawtDispatch

@Suite struct SettingsTests {
  private func withFiles(_ files: [String: String], _ body: (String) throws -> Void) rethrows {
    var template = Array("/tmp/hawt-cgroup-XXXXXX".utf8CString)
    let root = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    mkdir(root + "/cpu", 0o700)
    for (name, text) in files {
      let descriptor = open(root + "/" + name, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
      _ = text.withCString { write(descriptor, $0, strlen($0)) }
      close(descriptor)
    }
    defer {
      for name in files.keys { unlink(root + "/" + name) }
      rmdir(root + "/cpu")
      rmdir(root)
    }
    try body(root)
  }

  @Test func readsTheQuotaOfEitherVersionOfControlGroups() {
    withFiles(["cpu.max": "150000 100000\n"]) { #expect(CPUQuota(root: $0).quota == 1.5) }
    withFiles(["cpu.max": "max 100000\n"]) { #expect(CPUQuota(root: $0).quota == nil) }
    withFiles(["cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"]) {
      #expect(CPUQuota(root: $0).quota == 0.5)
      #expect(CPUQuota(root: $0).usableCPUs == 1)
    }
    withFiles(["cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"]) {
      #expect(CPUQuota(root: $0).quota == nil)
    }
    withFiles(["cpu.max": "nonsense"]) { #expect(CPUQuota(root: $0).usableCPUs >= 1) }
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
