import Foundation
import Glibc
import HawtDispatch
import Synchronization
import Testing

/// What a million timers take is far more than what other tests, which run meanwhile, give or take.
@Suite struct TimerMemoryTests {
  /// The process's resident memory, once the allocator has given back what it can.
  private static var residentBytes: Int {
    // <malloc.h> is not in the Glibc module.
    typealias Trim = @convention(c) (Int) -> CInt
    if let symbol = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(symbol, to: Trim.self)(0) }
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
  }

  private static let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

  @Test(.disabled(if: isSanitized, "a sanitizer's allocator does not give back what is freed"))
  func aMillionTimersAreArmedAndCancelledAndTheirMemoryComesBack() throws {
    let dispatcher = try Dispatcher(configuration: .init(workers: 2))
    let queues = (0..<100).map { dispatcher.makeSerialQueue(label: "timers \($0)") }
    let count = 1_000_000
    let fired = Atomic<Int>(0)
    let before = Self.residentBytes
    var handles: [TimerHandle] = []
    handles.reserveCapacity(count)
    for number in 0..<count {
      // In no order, so that each cancel takes its timer out of the middle.
      let delay = Duration.seconds(3_600 + number &* 7_919 % 100_003)
      handles.append(
        queues[number % queues.count].asyncAfter(delay) { fired.wrappingAdd(1, ordering: .relaxed) })
    }
    let armed = Self.residentBytes
    #expect(handles.allSatisfy { $0.submission.isAccepted })
    #expect(handles.allSatisfy { $0.cancel() })
    handles = []
    // What the workers have in hand is let go of by tasks that come after it.
    for queue in queues { try queue.sync {} }
    let after = Self.residentBytes
    #expect(armed - before > count * 64, "the timers took \(armed - before) bytes: nothing was measured")
    #expect(after - before < (armed - before) / 5, "of \(armed - before) bytes, \(after - before) did not come back")
    #expect(fired.load(ordering: .relaxed) == 0)
    dispatcher.shutdownAndWait()
  }
}
