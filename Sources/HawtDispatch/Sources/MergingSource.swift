/// How a merging source folds what is merged into what its handler sees (rule C3).
public struct Aggregation<Element: Sendable, Aggregate: Sendable>: Sendable {
  let first: @Sendable (Element) -> Aggregate
  /// Nil: the latest element takes the place of what waits.
  let fold: (@Sendable (inout Aggregate, Element) -> Void)?

  /// The latest element alone.
  init(latest first: @escaping @Sendable (Element) -> Aggregate) {
    self.first = first
    fold = nil
  }

  /// - Parameters:
  ///   - first: what one element alone is delivered as.
  ///   - fold: adds an element to what waits. Runs on the thread that merges, one at a time; must not merge into
  ///     the same source.
  public init(
    first: @escaping @Sendable (Element) -> Aggregate,
    fold: @escaping @Sendable (inout Aggregate, Element) -> Void
  ) {
    self.first = first
    self.fold = fold
  }
}

extension Aggregation where Element: FixedWidthInteger, Aggregate == Element {
  /// The sum, wrapping on overflow.
  public static var sum: Self { .init(first: { $0 }, fold: { $0 &+= $1 }) }
  /// The bitwise or.
  public static var or: Self { .init(first: { $0 }, fold: { $0 |= $1 }) }
}

extension Aggregation where Aggregate == Element {
  /// The latest element.
  public static var replace: Self { .init(latest: { $0 }) }
}

extension Aggregation where Aggregate == [Element] {
  /// All elements; each producer's order is kept.
  public static var list: Self { .init(first: { [$0] }, fold: { $0.append($1) }) }
}

extension Aggregation where Element: Hashable, Aggregate == Set<Element> {
  /// The distinct elements.
  public static var set: Self { .init(first: { [$0] }, fold: { $0.insert($1) }) }
}

/// A source that its owner feeds: what is merged from any thread is folded together and delivered on the target
/// queue (rules C1–C4). Dropping the last reference cancels it.
///
/// Any thread may call its members; each takes constant time, unless it says otherwise.
public final class MergingSource<Element: Sendable, Aggregate: Sendable>: Sendable {
  private let handle: Handle<MergingCore<Element, Aggregate>>
  private var core: MergingCore<Element, Aggregate> { handle.core }

  init(_ core: MergingCore<Element, Aggregate>) {
    handle = Handle(core)
  }

  deinit {
    if !core.dispatcher.isForked { core.cancel() }
  }

  /// Sets what sees each aggregate, on the target queue. No effect after `cancel()`.
  public func setEventHandler(_ handler: @escaping @Sendable (Aggregate) throws -> Void) {
    core.set(core.eventHandler, MergingCore<Element, Aggregate>.EventHandler(run: handler))
    core.handlerWasSet()
  }
  /// Sets what runs once after `cancel()`, with what was accepted and not delivered (rule C1). No effect after
  /// `cancel()`.
  public func setCancelHandler(_ handler: @escaping @Sendable (_ residue: Aggregate?) throws -> Void) {
    core.set(core.cancelHandler, MergingCore<Element, Aggregate>.ResidueHandler(run: handler))
  }

  /// Adds an element. Legal from any thread and queue, the handler included (rule C2). Refused after `cancel()`, and from
  /// outside after a shutdown. As long as the aggregation's `fold` takes, and that of others who merge at the same time.
  @discardableResult
  public func merge(_ element: Element) -> Submission { core.merge(element) }
  /// Starts deliveries; what was merged before is delivered. A second call has no effect. Throws `.cancelled`.
  public func activate() throws(SourceError) { _ = try core.activateOnce() }
  /// Holds deliveries; nests. Everything merged meanwhile is kept and delivered as one (rule C4).
  public func suspend() { core.suspend() }
  /// Ends one `suspend()`; traps if there is none.
  public func resume() { core.resume() }
  /// No event handler starts after it returns. Idempotent, never blocks, any thread.
  public func cancel() { core.cancel() }
  /// Whether `cancel()` was called.
  public var isCancelled: Bool { core.isCancelled }
  /// Gives it another queue, live. Throws as `SerialQueue.setTarget` does; for its completion see
  /// `ReadinessSource.setTarget`. O(workers + depth of the target).
  public func setTarget(
    _ target: any Queue, completion: (@Sendable (SerialQueue.RetargetOutcome) -> Void)? = nil
  ) throws(DispatcherError) { try core.setTarget(target, completion: completion) }
}
