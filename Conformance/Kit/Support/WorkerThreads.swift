import HawtDispatch

/// Which thread each worker of a dispatcher is, learned by asking, so that no check takes the library's word for it.
struct WorkerThreads: Sendable {
  private let workers: [UInt: Int]

  init(_ dispatcher: Dispatcher, _ context: CheckContext) throws {
    let learned = Shared<[UInt: Int]>([:])
    for queue in dispatcher.threadQueues {
      try context.drain(inTask: queue) { learned.with { $0[Process.currentThread] = queue.worker } }
    }
    workers = learned.with { $0 }
    try context.require(
      workers.count == dispatcher.threadQueues.count, "\(dispatcher.threadQueues.count) workers share threads")
  }

  /// The worker whose thread the calling one is; nil on any other thread.
  var current: Int? { workers[Process.currentThread] }
}

/// Which of the process's epoll descriptors belongs to which worker, learned by registering a descriptor with each.
struct WorkerPollers: Sendable {
  /// By worker; nil where the backend's registrations cannot be seen from outside (it is none of the built-in ones).
  private let pollers: [String]?

  init(_ dispatcher: Dispatcher, _ context: CheckContext) throws {
    var found: [String] = []
    for queue in dispatcher.threadQueues {
      let pipe = try context.makePipe()
      let source = dispatcher.makeReadSource(pipe.readEnd, target: queue)
      try source.activate()
      try context.settle(dispatcher)
      found += PollerInspection.pollers(containing: pipe.readEnd)
      let cancelled = context.latch()
      source.setCancelHandler { cancelled.signal() }
      source.cancel()
      try cancelled.wait(for: "a cancel handler")
    }
    pollers = found.count == dispatcher.threadQueues.count ? found : nil
  }

  var areVisible: Bool { pollers != nil }

  /// The workers whose kernel set holds `descriptor`; nil where that cannot be seen.
  func workers(holding descriptor: CInt) -> [Int]? {
    pollers.map { pollers in pollers.indices.filter { PollerInspection.contains(pollers[$0], descriptor) } }
  }
}

extension CheckContext {
  /// Lets every worker make some rounds, so that changes which are only noted reach the kernel.
  func settle(_ dispatcher: Dispatcher) throws {
    for _ in 0..<2 {
      let before = dispatcher.metrics.map(\.waits)
      for queue in dispatcher.threadQueues { try drain(queue) }
      try eventually("every worker has waited again") {
        zip(dispatcher.metrics.map(\.waits), before).allSatisfy { $0 > $1 }
      }
    }
  }
}
