/// A call that somebody was promised, a joint handler or what a retarget comes to: no submission, so no queue refuses it, and
/// no shutdown gives it up. What a shutdown finds waiting goes back to its queue when the dispatcher starts again, as
/// cancel handlers do (rules M3, S7, L4).
final class OwedCall: Runnable, @unchecked Sendable {
  // Sound as Sendable: a constant.
  private let job: Job

  init(_ job: consuming Job) { self.job = job }

  override var isOwed: Bool { true }

  override func execute(on worker: Worker, ticket: UInt) {
    do { try job.run() } catch { worker.dispatcher.report(error, .task, on: worker.currentQueue) }
  }
}

extension QueueCore {
  /// Has `run` called once in this queue. Any thread.
  func owe(_ run: @escaping @Sendable () throws -> Void) {
    enqueue(Entry(OwedCall(Job(run: run))), worker: WorkerRef(of: dispatcher))
  }
}
