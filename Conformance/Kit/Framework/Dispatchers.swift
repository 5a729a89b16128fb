public import HawtDispatch
import Synchronization

/// Distinguishes dispatchers of one process, so that their threads can be told apart.
private let serialNumber = Atomic<Int>(0)

extension CheckContext {
  /// A configuration with the backend under test, whose unexpected errors fail the check.
  ///
  /// - Parameters:
  ///   - workers: how many.
  ///   - name: of the dispatcher; nil: one of the kit's own.
  public func configuration(workers: Int = 2, name: String? = nil) -> Configuration {
    let number = serialNumber.add(1, ordering: .relaxed).newValue
    return Configuration(
      name: name ?? "kit\(number)x", workers: workers, backend: subject.backend,
      errorHandler: { [weak self] failure in
        // What a shutdown drops stands in its report, which is judged.
        if failure.kind != .discarded { self?.fail("an error that no check expects: \(failure)") }
      })
  }

  /// A dispatcher on the backend under test. When the check ends it is shut down; work that is then left, a worker
  /// that is stuck, or a thread that stays fails the check.
  public func makeDispatcher(
    workers: Int = 2, configure: (inout Configuration) -> Void = { _ in }
  ) throws -> Dispatcher {
    var settings = configuration(workers: workers)
    configure(&settings)
    let dispatcher = try Dispatcher(configuration: settings)
    atEnd(.dispatchers) { [weak self, name = settings.name] in
      let start = Moment.now
      let report = dispatcher.shutdownAndWait(deadline: .seconds(10))
      guard let self else { return }
      // One that has nothing left to do and waits for its deadline has lost count of something.
      expect(start.elapsed < .seconds(9) || !report.isClean, "an idle dispatcher took its whole deadline to end")
      expect(report.isClean, "the dispatcher did not end cleanly: \(report)")
      expectNoThreads(of: name)
    }
    return dispatcher
  }

  /// Fails if a thread of the dispatcher called `name` is still there. A thread's entry may outlive its join by an
  /// instant, therefore the short wait.
  func expectNoThreads(of name: String) {
    let left = { Process.threadNames.filter { $0.hasPrefix(name) } }
    do {
      try eventually("no thread of '\(name)' is left", within: .seconds(5)) { left().isEmpty }
    } catch {
      fail("threads of dispatcher '\(name)' are left after its shutdown: \(left())")
    }
  }

  /// Runs `body` on `count` foreign threads at once, each with its own generator, and waits for all of them.
  func onThreads(_ count: Int, _ body: @escaping @Sendable (_ index: Int, inout SeededRandom) throws -> Void) throws {
    let start = Shared(0)
    let problems = recorder(of: String.self)
    let threads = (0..<count).map { index in
      Thread { [self] in
        // All wait for the last one, or the first would be done before the others exist.
        start.with { $0 += 1 }
        _ = start.wait(atMost: .seconds(10)) { $0 == count }
        var generator = random(1_000 + index)
        do { try body(index, &generator) } catch { problems.append("\(error)") }
      }
    }
    for thread in threads { thread.join() }
    if let first = problems.all.first { throw CheckFailure(first) }
  }

  /// Keeps a worker busy with a task that ends only when the returned gate is opened, and waits until it is held.
  func hold(_ queue: any Queue) throws -> Gate {
    let gate = gate()
    try require(queue.async { gate.pass() }.isAccepted, "a task that holds '\(queue.label)' was refused")
    try gate.waitForArrivals()
    return gate
  }

  /// Waits until everything that was submitted to `queue` before has run.
  func drain(_ queue: any Queue) throws {
    let done = latch()
    try require(queue.async { done.signal() }.isAccepted, "a task on '\(queue.label)' was refused")
    try done.wait(for: "queue '\(queue.label)' to run what was submitted before (\(state(of: queue)))")
  }

  /// What a failure message says of a queue that does not get on.
  func state(of queue: any Queue) -> String {
    let own = (queue as? SerialQueue).map { "\($0.state), target '\($0.target.label)', " } ?? ""
    let workers = queue.dispatcher.metrics.map { "worker \($0.worker): \($0.rounds) rounds, \($0.waits) waits" }
    return "\(own)depth \(queue.depth), \(workers.joined(separator: ", "))"
  }
}
