import Glibc
import HawtDispatch
import Synchronization
import Testing

/// A type of the user's that passes for a queue.
private final class Disguise: Queue {
  private let inner: SerialQueue
  init(_ inner: SerialQueue) { self.inner = inner }

  var label: String { inner.label }
  var dispatcher: Dispatcher { inner.dispatcher }
  var depth: Int { inner.depth }
  var isExecuting: Bool { inner.isExecuting }
  var description: String { inner.description }
  func async(_ task: @escaping @Sendable () throws -> Void) -> Submission { inner.async(task) }
  func async(_ item: WorkItem) -> Submission { inner.async(item) }
  func asyncAfter(
    _ delay: Duration, clock: TimerClock, leeway: Duration, _ task: @escaping @Sendable () throws -> Void
  ) -> TimerHandle { inner.asyncAfter(delay, clock: clock, leeway: leeway, task) }
  func sync<Value: Sendable>(_ body: @Sendable () throws -> Value) throws -> Value { try inner.sync(body) }
  func setSpecific<Value: Sendable>(_ key: QueueKey<Value>, _ value: Value?) {}
  func specific<Value: Sendable>(_ key: QueueKey<Value>) -> Value? { nil }
  func assertExecuting(file: StaticString, line: UInt) {}
  func assertNotExecuting(file: StaticString, line: UInt) {}
}

@Suite struct IdentityTests {
  @Test func queuesAreTheSameWhateverReferenceStandsForThem() throws {
    let dispatcher = try Dispatcher(configuration: .init(workers: 2))
    let other = try Dispatcher(configuration: .init(workers: 2))
    // Equal labels, so that nothing but identity can tell them apart.
    let parent = dispatcher.makeSerialQueue(label: "twin")
    let twin = dispatcher.makeSerialQueue(label: "twin")
    let child = try dispatcher.makeSerialQueue(label: "twin", target: parent)
    let current = try child.sync { Dispatcher.currentQueue }
    let pairs: [(any Queue, any Queue)] = [
      (child, try #require(current)), (parent, child.target), (dispatcher.threadQueues[1], dispatcher.threadQueues[1]),
      (dispatcher.global(.low), dispatcher.global(.low)), (dispatcher.global(), parent.target),
      (dispatcher.threadQueues[0], try #require(try dispatcher.threadQueues[0].sync { Dispatcher.currentThreadQueue })),
    ]
    for (left, right) in pairs {
      #expect(left.isSame(as: right) && right.isSame(as: left), "\(left) and \(right)")
    }
    let distinct: [any Queue] =
      [parent, twin, child, other.makeSerialQueue(label: "twin")] + dispatcher.threadQueues + other.threadQueues
      + Priority.allCases.flatMap { [dispatcher.global($0), other.global($0)] as [any Queue] }
    for (index, left) in distinct.enumerated() {
      for (position, right) in distinct.enumerated() {
        #expect(left.isSame(as: right) == (index == position), "\(left) and \(right)")
      }
    }
    // After a retarget it is the same queue, and another target's.
    try child.setTarget(twin)
    #expect(child.target.isSame(as: twin) && !child.target.isSame(as: parent))
    #expect(child.target as? SerialQueue == twin && Set([child.target as? SerialQueue, twin]).count == 1)
    #expect(dispatcher.threadQueues[0] != dispatcher.threadQueues[1] && dispatcher.global(.low) != dispatcher.global())
    for stopping in [dispatcher, other] { #expect(stopping.shutdownAndWait().isClean) }
    #expect(dispatcher.global().isSame(as: parent.target))
  }

  @Test func aQueueOfTheUsersTypeIsNoQueueOfTheLibrary() throws {
    let dispatcher = try Dispatcher(configuration: .init(workers: 1))
    let queue = dispatcher.makeSerialQueue(label: "inner")
    let disguise = Disguise(queue)
    #expect(!disguise.isSame(as: queue) && !queue.isSame(as: disguise) && !disguise.isSame(as: disguise))
    #expect(dispatcher.shutdownAndWait().isClean)
  }
}

/// The names of this process's threads.
private func threadNames() -> [String] {
  guard let directory = opendir("/proc/self/task") else { return [] }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let task = withUnsafePointer(to: &entry.pointee.d_name) {
      $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
    }
    guard let file = fopen("/proc/self/task/\(task)/comm", "re") else { continue }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 64)
    let length = fread(&line, 1, line.count, file)
    names.append(String(decoding: line.prefix(length), as: UTF8.self))
  }
  return names
}

/// Threads that ask for the default dispatcher all at once.
private final class Rendezvous: Sendable {
  private let count: Int
  private let arrived = Atomic<Int>(0)
  private let found = Guarded<[Dispatcher]>([])

  init(of count: Int) { self.count = count }

  func sharedDispatchers() -> [Dispatcher] {
    let threads = (0..<count).map { _ in
      var thread = pthread_t()
      pthread_create(
        &thread, nil,
        { argument in
          Unmanaged<Rendezvous>.fromOpaque(argument!).takeRetainedValue().meet()
          return nil
        }, Unmanaged.passRetained(self).toOpaque())
      return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    return found.withLock { $0 }
  }

  private func meet() {
    arrived.add(1, ordering: .sequentiallyConsistent)
    while arrived.load(ordering: .sequentiallyConsistent) < count { sched_yield() }
    let shared = Dispatcher.shared
    found.withLock { $0.append(shared) }
  }
}

/// The process's default dispatcher: each in a process of its own, as it is made once.
@Suite(.timeLimit(.minutes(10))) struct SharedDispatcherTests {
  @Test func isMadeOnceByWhoeverComesFirst() async {
    await #expect(processExitsWith: .success) {
      guard !threadNames().contains(where: { $0.hasPrefix("shared") }) else { exit(2) }
      let count = 8
      let found = Rendezvous(of: count).sharedDispatchers()
      guard found.count == count, Set(found).count == 1, found.allSatisfy({ $0 === found[0] }) else { exit(3) }
      guard Dispatcher.shared === found[0], found[0].name == "shared" else { exit(4) }
      // A worker's thread has its name by the time of its first task.
      for thread in found[0].threadQueues { try thread.sync {} }
      guard threadNames().count(where: { $0.hasPrefix("shared") }) == found[0].threadQueues.count else { exit(5) }
      exit(0)
    }
  }

  @Test func isShutDownAndRestartedAsAnyOther() async {
    await #expect(processExitsWith: .success) {
      let queue = Dispatcher.shared.makeSerialQueue(label: "kept")
      guard try queue.sync({ 7 }) == 7, Dispatcher.shared.shutdownAndWait().isClean else { exit(2) }
      guard queue.async({ exit(3) }) == .refused(.shutDown) else { exit(4) }
      guard Dispatcher.shared.global().async({ exit(3) }) == .refused(.shutDown) else { exit(5) }
      // The same one: it is not made anew.
      guard Dispatcher.shared == queue.dispatcher else { exit(6) }
      guard Dispatcher.shared.shutdownAndWait().isClean else { exit(7) }
      try Dispatcher.shared.restart()
      guard try queue.sync({ 8 }) == 8, try Dispatcher.shared.global().sync({ 9 }) == 9 else { exit(8) }
      exit(0)
    }
  }

  @Test func trapsWithTheReasonIfItCannotBeMade() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      setenv("HAWTDISPATCH_WORKERS", "0", 1)
      _ = Dispatcher.shared
      exit(0)
    }
    let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(said.contains("Dispatcher.shared could not be made") && said.contains("0 workers"))
  }
}
