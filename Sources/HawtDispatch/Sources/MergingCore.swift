internal import Synchronization

/// A merging source inside: what was merged and not delivered, under a lock of its own.
final class MergingCore<Element: Sendable, Aggregate: Sendable>: SourceBase, @unchecked Sendable {
  // Sound as Sendable: `lock` guards `waiting`.

  struct EventHandler: Handler, ~Copyable {
    let run: @Sendable (Aggregate) throws -> Void
    consuming func call(_ aggregate: Aggregate) throws { try run(aggregate) }
  }

  struct ResidueHandler: Handler, ~Copyable {
    let run: @Sendable (Aggregate?) throws -> Void
    consuming func call(_ residue: Aggregate?) throws { try run(residue) }
  }

  private let aggregation: Aggregation<Element, Aggregate>
  private let lock = Lock()
  private var waiting: Aggregate?

  init(dispatcher: DispatcherCore, queue: QueueCore, _ aggregation: Aggregation<Element, Aggregate>) {
    self.aggregation = aggregation
    super.init(dispatcher: dispatcher, queue: queue)
  }

  override var label: String { "merging source on queue '\(target.current.label)'" }
  override var title: String { "a merging source" }

  func merge(_ element: Element) -> Submission {
    let worker = dispatcher.enter(title)
    if worker == nil, !dispatcher.isRunning { return .refused(.shutDown) }
    // Released without the lock: its deinitializer may merge.
    var replaced: Aggregate?
    let isFirst = lock.withLock { () -> Bool? in
      // What is accepted is delivered or is residue (rules C1, C4): the cancel handler takes what waits under the lock, and
      // whoever comes here after it sees the cancel.
      if isCancelled { return nil }
      guard waiting != nil, let fold = aggregation.fold else {
        replaced = waiting
        waiting = aggregation.first(element)
        return replaced == nil
      }
      fold(&waiting!, element)
      return false
    }
    withExtendedLifetime(replaced) {}
    guard let isFirst else { return .refused(.cancelled) }
    // Later elements join what an entry, or the word's signal, stands for already.
    if isFirst { signal(worker) }
    return .accepted
  }

  /// A handler was set: what came before there was one is delivered now.
  func handlerWasSet() {
    if lock.withLock({ waiting != nil }) { signal(WorkerRef(of: dispatcher)) }
  }

  private func takeWaiting() -> Aggregate? {
    lock.withLock {
      defer { waiting = nil }
      return waiting
    }
  }

  override func deliver(on worker: Worker) {
    guard let handler = eventHandler.current(EventHandler.self), let aggregate = takeWaiting() else { return }
    do { try handler.call(aggregate) } catch { dispatcher.report(error, .eventHandler, on: worker.currentQueue) }
  }

  override func runCancelHandler(on worker: Worker) {
    let residue = takeWaiting()
    guard let handler = cancelHandler.current(ResidueHandler.self) else { return }
    do { try handler.call(residue) } catch { dispatcher.report(error, .cancelHandler, on: worker.currentQueue) }
  }
}
