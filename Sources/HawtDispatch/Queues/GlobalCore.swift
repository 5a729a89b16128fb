/// A global queue inside: no list of its own; its entries stand in the workers' rings and in the shared injection
/// queue.
final class GlobalCore: QueueCore, @unchecked Sendable {
  // Sound as Sendable: constants, and queues made for concurrent use.
  let priority: Priority
  let injection = Injection()

  init(dispatcherName: String, priority: Priority) {
    self.priority = priority
    super.init(dispatcher: nil, label: "\(dispatcherName).global.\(priority)", kind: .global)
  }

  override var rootIndex: Int { dispatcher.workers.count + priority.rawValue }
  override var depth: Int {
    guard priority == .default else { return injection.count }
    return dispatcher.workers.reduce(injection.count) { sum, worker in sum + worker.ring.count }
  }
  override func makeHandle() -> any Queue { GlobalQueue(self) }

  @inline(__always)
  override func submit(_ entry: Entry) -> Submission {
    let worker = enter()
    if pushLocally(entry, worker) { return .accepted }
    return inject(entry, worker, isOutside: worker == nil) ? .accepted : .refused(.shutDown)
  }

  @inline(__always)
  override func enqueue(_ entry: Entry, worker: WorkerRef?) {
    if pushLocally(entry, worker) { return }
    _ = inject(entry, worker, isOutside: false)
  }

  /// Only the default priority has entries in the workers' own run queues. The others' are shared by all workers, or a
  /// worker that happens to have none of them would give away their share (rule Q9).
  @inline(__always)
  private func pushLocally(_ entry: Entry, _ worker: WorkerRef?) -> Bool {
    guard priority == .default, let worker else { return false }
    return worker.use { $0.pushLocally(entry) }
  }

  /// Takes every shared entry out, without running it.
  func discardAll(into discarded: inout Discarded) {
    while true {
      let entry = injection.pop()
      if entry.kind == Entry.Kind.empty { return }
      discarded.take(entry, of: self)
    }
  }

  @inline(never)
  private func inject(_ entry: Entry, _ worker: WorkerRef?, isOutside: Bool) -> Bool {
    guard injection.push(entry, isOutside: isOutside) else {
      _ = entry.discard()
      return false
    }
    // One entry is run next by the worker that pushes it; a second is worth a peer's waking up.
    if worker == nil || injection.count > 1 { withDispatcher { $0.wakePolicy.notify() } }
    return true
  }
}
