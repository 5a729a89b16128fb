import Glibc
import HawtDispatch

/// The process's resident memory, once the allocator has given back what it can.
private func residentBytes() -> Int {
  // <malloc.h> is not in the Glibc module.
  typealias Trim = @convention(c) (Int) -> CInt
  if let symbol = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(symbol, to: Trim.self)(0) }
  let fields = Process.text(of: "/proc/self/statm", limit: 256)?.split(separator: " ") ?? []
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
}

/// In a process of its own, whose memory nothing else takes.
func aMillionCancelled(_ context: CheckContext) throws {
  // A sanitizer makes them slow, and its allocator keeps what is freed: there the cancels alone are looked at.
  let isSanitized = Process.isAddressSanitized || Process.isThreadSanitized
  let count = isSanitized ? 50_000 : 1_000_000
  let dispatcher = try context.makeDispatcher(workers: 2)
  var queues = (0..<100).map { dispatcher.makeSerialQueue(label: "timers \($0)") }
  let before = residentBytes()
  var handles: [TimerHandle] = []
  handles.reserveCapacity(count)
  for number in 0..<count {
    // In no order, so that each cancel takes its timer out of the middle.
    let delay = Duration.seconds(3_600 + number &* 7_919 % 100_003)
    handles.append(queues[number % queues.count].asyncAfter(delay) { context.fail("a timer of an hour ran") })
  }
  let armed = residentBytes() - before
  context.expect(handles.allSatisfy(\.submission.isAccepted), "a timer was refused")
  context.expect(handles.allSatisfy { $0.cancel() }, "a cancel said that the timer had started")
  handles = []
  // What workers have in hand is let go of before tasks that come after it.
  for queue in queues { try context.drain(queue) }
  queues = []
  if !isSanitized {
    let left = residentBytes() - before
    context.expect(armed > count * 64, "the timers took \(armed) bytes: nothing was measured")
    context.expect(left < armed / 5, "of \(armed) bytes, \(left) did not come back")
  }
  context.record("timers armed and cancelled", count)
}
