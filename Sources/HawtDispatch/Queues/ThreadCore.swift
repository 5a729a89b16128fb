/// A worker's own queue inside: a list whose only consumer is that worker's thread.
final class ThreadCore: QueueCore, @unchecked Sendable {
  // Sound as Sendable: constants, and a list made for concurrent use.
  let index: Int
  private let list = ChunkList()

  init(dispatcherName: String, index: Int) {
    self.index = index
    super.init(dispatcher: nil, label: "\(dispatcherName).thread-\(index)", kind: .thread)
  }

  override var rootIndex: Int { index }
  override var depth: Int { list.depth }
  override func makeHandle() -> any Queue { ThreadQueue(self) }

  override func submit(_ entry: Entry) -> Submission {
    let worker = enter()
    if worker?.index == index, list.pushAsConsumer(entry) { return .accepted }
    let result = list.push(entry, isOutside: worker == nil, worker: worker)
    // Also when refused: the void entry is to be consumed.
    if worker?.index != index { wakeOwner() }
    return result == .accepted || result == .acceptedAwaited ? .accepted : .refused(.shutDown)
  }

  override func enqueue(_ entry: Entry, worker: WorkerRef?) {
    if entry.kind == Entry.Kind.queue, !entry.queue._withUnsafeGuaranteedRef({ $0.willStand(at: index) }) {
      return entry.queue.release()
    }
    // A worker's own push needs no wake-up: it looks at the list before it sleeps.
    if worker?.index == index, list.pushAsConsumer(entry) { return }
    _ = list.push(entry, isOutside: false, worker: worker)
    if worker?.index != index { wakeOwner() }
  }

  private func wakeOwner() { withDispatcher { $0.workers[index].wakeIfAsleep() } }

  // MARK: Its worker's

  @inline(__always)
  func pop(_ worker: WorkerRef?) -> Entry {
    let entry = list.pop(worker: worker)
    if entry.kind == Entry.Kind.queue { entry.queue._withUnsafeGuaranteedRef { $0.standsNoMore(at: index) } }
    return entry
  }

  /// Gives the memory of an empty list back.
  func settleIfEmpty(_ worker: WorkerRef) { _ = list.settle(worker: worker) }

  /// Whether an entry can be popped; asked also after the sleep was announced.
  @inline(__always)
  var hasReady: Bool { list.hasReady() }

  // MARK: Shutdown

  func close() { list.close() }
  func reopen() { list.reopen() }
  var isDrained: Bool { list.isEmpty }

  /// Takes every entry out, without running it. Its worker's thread has ended, or takes nothing any more.
  func discardAll(into discarded: inout Discarded) {
    while true {
      let entry = pop(nil)
      if entry.kind == Entry.Kind.empty { break }
      discarded.take(entry, of: self)
    }
    _ = list.settle(worker: nil)
  }
}
