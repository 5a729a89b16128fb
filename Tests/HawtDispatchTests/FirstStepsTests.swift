import Glibc
import HawtDispatch
import Synchronization
import Testing

/// Counts what handlers signal. What never comes fails the test, far later than any machine is late.
final class Latch: @unchecked Sendable {
  // Sound as Sendable: a POSIX semaphore may be used from any thread, and its memory never moves.
  private static let patience = 60
  private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

  init() { sem_init(semaphore, 0, 0) }

  deinit {
    sem_destroy(semaphore)
    semaphore.deallocate()
  }

  func signal() { sem_post(semaphore) }

  /// Waits for so many signals. Throws, and says where, if they do not come.
  func wait(_ count: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) throws {
    for number in 0..<count {
      var limit = timespec()
      clock_gettime(CLOCK_REALTIME, &limit)
      limit.tv_sec += Self.patience
      var result: CInt
      repeat { result = sem_timedwait(semaphore, &limit) } while result != 0 && errno == EINTR
      try #require(
        result == 0, "\(number) of \(count) signals came, and no other within \(Self.patience) s",
        sourceLocation: sourceLocation)
    }
  }
}

@Test(arguments: Backend.builtIn.indices) func serialQueueRunsInOrder(_ backend: Int) throws {
  let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: Backend.builtIn[backend]))
  let queue = dispatcher.makeSerialQueue(label: "order")
  let latch = Latch()
  let next = Atomic<Int>(0)
  let good = Atomic<Bool>(true)
  for i in 0..<10_000 {
    queue.async { if next.wrappingAdd(1, ordering: .relaxed).oldValue != i { good.store(false, ordering: .relaxed) } }
  }
  queue.async { latch.signal() }
  try latch.wait()
  let wasGood = good.load(ordering: .relaxed)
  #expect(wasGood)
  #expect(try queue.sync { 42 } == 42)
  let report = dispatcher.shutdownAndWait()
  #expect(report.isClean)
}

@Test(arguments: Backend.builtIn.indices) func pipeReadsAndMigrates(_ backend: Int) throws {
  let dispatcher = try Dispatcher(configuration: .init(workers: 2, backend: Backend.builtIn[backend]))
  let queue = try dispatcher.makeSerialQueue(label: "pinned", target: dispatcher.threadQueues[0])
  var ends: [CInt] = [0, 0]
  #expect(pipe(&ends) == 0)
  let (input, output) = (ends[0], ends[1])
  let latch = Latch()
  let closed = Latch()
  let reads = dispatcher.makeReadSource(input, target: queue) { event in
    var byte: UInt8 = 0
    #expect(read(event.descriptor, &byte, 1) == 1)
    latch.signal()
  }
  reads.setCancelHandler {
    close(input); closed.signal()
  }
  try reads.activate()
  for round in 0..<100 {
    var byte: UInt8 = 1
    #expect(write(output, &byte, 1) == 1)
    try latch.wait()
    let moved = Latch()
    try queue.setTarget(dispatcher.threadQueues[(round + 1) % 2]) { _ in moved.signal() }
    try moved.wait()
    #expect(reads.registeredWorker == (round + 1) % 2)
  }
  reads.cancel()
  try closed.wait()
  close(output)
  _ = dispatcher.shutdownAndWait()
}

@Test func timersFireInOrder() throws {
  let dispatcher = try Dispatcher(configuration: .init(workers: 2))
  let queue = dispatcher.makeSerialQueue(label: "timers")
  let latch = Latch()
  let count = Atomic<Int>(0)
  // In ascending order: however long the arming takes, none is due before the one before it.
  for i in 0..<100 {
    queue.asyncAfter(.microseconds(50_000 + i * 1_000)) {
      let number = count.wrappingAdd(1, ordering: .relaxed).oldValue
      #expect(number == i)
      latch.signal()
    }
  }
  try latch.wait(100)
  let source = dispatcher.makeTimerSource(target: queue) { _ in latch.signal() }
  source.schedule(after: .milliseconds(1), repeating: .milliseconds(1))
  try source.activate()
  try latch.wait(10)
  source.cancel()
  let merging = dispatcher.makeMergingSource(.sum as Aggregation<Int, Int>, target: queue) {
    #expect($0 == 3); latch.signal()
  }
  merging.merge(1)
  merging.merge(2)
  try merging.activate()
  try latch.wait()
  let report = dispatcher.shutdownAndWait()
  #expect(report.isClean)
  try dispatcher.restart()
  queue.async { latch.signal() }
  try latch.wait()
}
