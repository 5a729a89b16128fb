import Glibc
import HawtDispatch

// L6, the part about dispatchers that cannot be made, and about their names.

func badConfigurations(_ context: CheckContext) throws {
  let steady = try context.bench()
  for count in [0, -1, 1_025, 100_000, Int.max, Int.min] {
    let threads = Process.threadCount
    let descriptors = Process.descriptors.count
    var configuration = context.configuration()
    configuration.workers = count
    let error = thrown { _ = try Dispatcher(configuration: configuration) } as? DispatcherError
    context.expect(
      error == .invalidWorkerCount(count), "\(count) workers: \(error.map { "\($0)" } ?? "no error")")
    context.expect(Process.threadCount <= threads, "\(count) workers were refused and threads are left")
    context.expect(Process.descriptors.count <= descriptors, "\(count) workers were refused and descriptors are left")
    context.record("worker counts refused")
  }
  let wrong: [(String, (inout Configuration) -> Void)] = [
    ("a budget of zero", { $0.queueBudget = .zero }),
    ("a negative budget", { $0.queueBudget = .seconds(-1) }),
    ("a clock check after every 0 tasks", { $0.tasksBetweenClockChecks = 0 }),
    ("a clock check after every -1 tasks", { $0.tasksBetweenClockChecks = -1 }),
    ("a poll interval of zero", { $0.pollInterval = .zero }),
    ("stuck after no time", { $0.stuckAfter = .zero }),
    ("stuck after two minutes", { $0.stuckAfter = .seconds(120) }),
    ("chains of no queue", { $0.maximumTargetDepth = 0 }),
    ("chains of 1,025 queues", { $0.maximumTargetDepth = 1_025 }),
    ("a weight of zero", { $0.priorityWeights.low = 0 }),
    ("a weight of 1,001", { $0.priorityWeights.high = 1_001 }),
    ("a negative spin", { $0.idleSpin = .seconds(-1) }),
  ]
  for (name, change) in wrong {
    var configuration = context.configuration()
    change(&configuration)
    let error = thrown { _ = try Dispatcher(configuration: configuration) } as? DispatcherError
    var isRight = false
    if case .invalidConfiguration(let text)? = error { isRight = !text.isEmpty }
    context.expect(isRight, "\(name): \(error.map { "\($0)" } ?? "no error")")
    context.record("configurations refused")
  }
  try steady.settle()
  // The bounds themselves are legal.
  for count in [1, context.scaled(64, minimum: 8)] {
    let dispatcher = try context.makeDispatcher(workers: count)
    context.expect(dispatcher.threadQueues.count == count, "\(count) workers: \(dispatcher.threadQueues.count) came")
    for thread in dispatcher.threadQueues { try context.drain(thread) }
  }
}

func anyText(_ context: CheckContext) throws {
  let texts = [
    "", " ", "\0", "a\0b", "line\nbreak\r\n", "\u{1b}[31mred", "🧵🪡", "e\u{301}", "/../%s%n", "\u{202e}abc",
    String(repeating: "x", count: 100_000),
  ]
  let failures = context.recorder(of: TaskFailure.self)
  for text in texts {
    failures.removeAll()
    var configuration = context.configuration(name: text)
    configuration.errorHandler = { failures.append($0) }
    let dispatcher = try Dispatcher(configuration: configuration)
    context.expect(dispatcher.name == text, "a dispatcher's name changed")
    let queue = dispatcher.makeSerialQueue(label: text)
    let nested = try dispatcher.makeSerialQueue(label: text, target: queue)
    context.expect(queue.label == text && nested.label == text, "a queue's label changed")
    nested.async { throw UserError(number: 1) }
    let failure = try failures.wait(forCount: 1, of: "an error on a queue of any label")[0]
    context.expect(failure.queueLabel == text, "an error was told with another label")
    _ = "\(queue) \(dispatcher) \(failure)"
    // The thread's name is cut and cleaned, and there.
    let names = context.recorder(of: String.self)
    for thread in dispatcher.threadQueues {
      thread.async {
        let name = (Process.text(of: "/proc/thread-self/comm", limit: 64) ?? "").dropLast()
        let isClean =
          !name.isEmpty && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\u{7f}" && $0 != "\u{fffd}" }
        names.append(isClean ? "clean" : String(name))
      }
    }
    context.expect(
      try names.wait(forCount: 2, of: "thread names").allSatisfy { $0 == "clean" },
      "with a name of \(text.unicodeScalars.prefix(8)), the threads are called \(names.all)")
    context.expect(dispatcher.shutdownAndWait().isClean, "a dispatcher of any name did not end cleanly")
    context.record("texts")
  }
}

/// Makes a dispatcher with 0, 1, 2 … descriptors left, until it can be made: each failure at another point.
func limitOfDescriptors(_ context: CheckContext) throws {
  let steady = try context.bench()
  try steady.settle()
  // A first one, ended: whatever the process makes once and keeps is made now.
  let first = try Dispatcher(configuration: context.configuration(workers: 3))
  context.expect(first.shutdownAndWait().isClean, "a dispatcher without work did not end cleanly")
  var former = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &former)
  let open = Process.entries(of: "/proc/self/fd").compactMap { CInt($0) }.max() ?? 3
  var fillers = fillHoles(below: open)
  defer { for filler in fillers { close(filler) } }
  let threads = Process.threadCount
  let descriptors = Process.descriptors.count
  var failures = 0
  var made: Dispatcher?
  for spare in 0..<200 {
    var limit = former
    limit.rlim_cur = rlim_t(open) + 1 + rlim_t(spare)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var code: CInt?
    do {
      made = try Dispatcher(configuration: context.configuration(workers: 3))
    } catch .backend(let error) {
      code = error.code
    } catch .systemRefused(_, let errno) {
      code = errno
    } catch {
      context.fail("with \(spare) descriptors left: \(error)")
    }
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &former)
    if made != nil { break }
    failures += 1
    context.expect(
      code == EMFILE, "with \(spare) descriptors left, the error is \(code.map { "errno \($0)" } ?? "another")")
    context.expect(
      Process.descriptors.count == descriptors,
      "with \(spare) descriptors left, \(Process.descriptors.count - descriptors) stay open after the refusal")
    try context.eventually("no thread is left", within: .seconds(5)) { Process.threadCount <= threads }
  }
  fillers = fillers.filter { close($0) != 0 }
  guard let made else { throw CheckFailure("200 descriptors are not enough for 3 workers") }
  for thread in made.threadQueues { try context.drain(thread) }
  context.expect(made.shutdownAndWait().isClean, "the dispatcher that could be made did not end cleanly")
  try steady.settle()
  context.expect(failures >= 3, "the start failed only \(failures) times")
  context.record("starts that failed", failures)
}

/// Takes every free number below `top`, so that the limit alone says how many are left.
private func fillHoles(below top: CInt) -> [CInt] {
  var taken: [CInt] = []
  while true {
    let number = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    if number < 0 { return taken }
    if number > top {
      close(number)
      return taken
    }
    taken.append(number)
  }
}

/// All 1,024 start, work and stop if the machine has the descriptors and threads; if not, the error says so. Nothing is left either
/// way.
func mostWorkers(_ context: CheckContext) throws {
  // Under the thread sanitizer an atomic operation costs in proportion to the number of threads.
  let count = Process.isThreadSanitized ? 128 : 1_024
  let first = try Dispatcher(configuration: context.configuration(workers: 2))
  context.expect(first.shutdownAndWait().isClean, "a dispatcher without work did not end cleanly")
  var former = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &former)
  // Once with all that the process may have, once with far too few.
  for limit in [former.rlim_max, 500] {
    var changed = former
    changed.rlim_cur = min(limit, former.rlim_max)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &changed)
    defer { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &former) }
    let (threads, descriptors) = (Process.threadCount, Process.descriptors.count)
    let isMade = try startMostWorkers(context, count)
    context.expect(isMade ? limit != 500 : true, "500 descriptors were enough for \(count) workers")
    try context.eventually("no thread of \(count) workers is left", within: .seconds(10)) {
      Process.threadCount <= threads
    }
    var now = descriptors
    try context.eventually("no descriptor of \(count) workers is left (\(now - descriptors) are)", within: .seconds(10))
    {
      now = Process.descriptors.count
      return now <= descriptors
    }
    context.record(isMade ? "dispatchers of \(count) workers" : "dispatchers of \(count) workers refused")
  }
}

/// - Returns: whether they could be started.
private func startMostWorkers(_ context: CheckContext, _ count: Int) throws -> Bool {
  let dispatcher: Dispatcher
  do throws(DispatcherError) {
    dispatcher = try Dispatcher(configuration: context.configuration(workers: count))
  } catch {
    let code: CInt? =
      switch error {
      case .backend(let error): error.code
      case .systemRefused(_, let code): code
      default: nil
      }
    context.expect(
      code.map { [EMFILE, ENFILE, EAGAIN, ENOMEM].contains($0) } ?? false, "\(count) workers were refused with \(error)"
    )
    return false
  }
  let ran = context.latch(count)
  let places = Shared<Set<Int>>([])
  for thread in dispatcher.threadQueues {
    thread.async {
      if let worker = Dispatcher.currentThreadQueue?.worker { places.with { _ = $0.insert(worker) } }
      ran.signal()
    }
  }
  try ran.wait(for: "a task on each of \(count) workers")
  context.expect(
    places.with { $0.count } == count, "\(count) workers' tasks ran on \(places.with { $0.count }) of them")
  let report = dispatcher.shutdownAndWait(deadline: .seconds(30))
  context.expect(report.isClean, "\(count) workers did not stop cleanly: \(report)")
  return true
}
