import Glibc
import HawtDispatch

/// A dispatcher on which many histories are played, one after the other. Each leaves it as it found it.
final class HistoryStage: @unchecked Sendable {
  // Sound: `dispatcher` is written once, before the stage is shared; the rest is behind locks.
  let subject: Subject
  private(set) var dispatcher: Dispatcher!
  /// Which worker each thread is, as the threads themselves said when they began.
  private let workers = Shared<[UInt: Int]>([:])
  private let onFailure = Shared<(@Sendable (TaskFailure) -> Void)?>(nil)
  /// The two threads that are no workers; in lockstep the first does everything.
  let outside = [OutsideThread(), OutsideThread()]

  init(_ subject: Subject) throws {
    self.subject = subject
    let configuration = Configuration(
      name: "history", workers: History.workers, backend: subject.backend,
      errorHandler: { [onFailure] failure in
        let tell = onFailure.with { $0 }
        tell?(failure)
      },
      onWorkerStart: { [workers] worker in workers.with { $0[Process.currentThread] = worker } })
    dispatcher = try Dispatcher(configuration: configuration)
  }

  /// The worker whose thread the caller is; -1 on any other thread.
  var currentWorker: Int { workers.with { $0[Process.currentThread] ?? -1 } }

  func setFailureHandler(_ handler: (@Sendable (TaskFailure) -> Void)?) { onFailure.with { $0 = handler } }

  /// The name of a queue in which something runs.
  func name(of queue: (any Queue)?) -> QueueName? {
    switch queue {
    case let queue as SerialQueue: Int(queue.label.dropFirst()).map { .serial($0) }
    case let queue as ThreadQueue: .thread(queue.worker)
    case is GlobalQueue: .global
    default: nil
    }
  }

  /// The same by the label that an error handler is told.
  func name(ofLabel label: String) -> QueueName? {
    if let thread = dispatcher.threadQueues.first(where: { $0.label == label }) { return .thread(thread.worker) }
    return dispatcher.global().label == label ? .global : Int(label.dropFirst()).map { .serial($0) }
  }

  /// Stops the dispatcher; nobody waits for it.
  func end(completion: @escaping @Sendable () -> Void) {
    for thread in outside { thread.end() }
    dispatcher.shutdown { _ in completion() }
  }

  /// Lets go of a dispatcher that a failed history may have left in any state: nobody waits for it.
  ///
  /// - Parameters:
  ///   - player: of that history; it lets go of what it made once nothing runs any more.
  ///   - completion: called when that is so.
  func abandon(_ player: HistoryPlayer, completion: @escaping @Sendable () -> Void) {
    for thread in outside { thread.end() }
    setFailureHandler(nil)
    dispatcher.shutdown(deadline: .milliseconds(100)) { _ in
      player.letGo()
      completion()
    }
  }
}

/// A thread that does one thing after another, beside the caller.
final class OutsideThread: Sendable {
  private struct State: Sendable {
    var task: (@Sendable () -> Void)?
    var isOver = false
  }
  private let state = Shared(State())

  init() {
    let state = state
    Thread {
      while true {
        _ = state.wait(atMost: .seconds(3_600)) { $0.task != nil || $0.isOver }
        let (task, isOver) = state.with { ($0.task, $0.isOver) }
        if let task {
          task()
          state.with { $0.task = nil }
        } else if isOver {
          return
        }
      }
    }.detach()
  }

  func begin(_ task: @escaping @Sendable () -> Void) { state.with { $0.task = task } }
  /// Waits until it is done; false if the bound passed first.
  func wait(atMost bound: Duration) -> Bool { state.wait(atMost: bound) { $0.task == nil } }
  func end() { state.with { $0.isOver = true } }
}
