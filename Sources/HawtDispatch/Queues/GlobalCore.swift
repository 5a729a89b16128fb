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
    dispatcher.workers.reduce(injection.count) { sum, worker in sum + worker.ring(priority.rawValue).count }
  }
  override func makeHandle() -> any Queue { GlobalQueue(self) }

  @inline(__always)
  override func submit(_ entry: Entry) -> Submission {
    let worker = enter()
    if let worker, worker.use({ $0.pushLocally(entry, level: priority.rawValue) }) { return .accepted }
    return inject(entry, isOutside: worker == nil) ? .accepted : .refused(.shutDown)
  }

  @inline(__always)
  override func enqueue(_ entry: Entry, worker: WorkerRef?) {
    if let worker, worker.use({ $0.pushLocally(entry, level: priority.rawValue) }) { return }
    _ = inject(entry, isOutside: false)
  }

  /// Takes every shared entry out, without running it.
  /// - Returns: how many were users' tasks.
  func discardAll() -> Int {
    var count = 0
    while true {
      let entry = injection.pop()
      if entry.kind == Entry.Kind.empty { return count }
      if entry.discard() { count += 1 }
    }
  }

  @inline(never)
  private func inject(_ entry: Entry, isOutside: Bool) -> Bool {
    guard injection.push(entry, isOutside: isOutside) else {
      _ = entry.discard()
      return false
    }
    dispatcher.wakePolicy.notify()
    return true
  }
}
