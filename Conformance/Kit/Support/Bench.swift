internal import CLinux
internal import Glibc
import HawtDispatch

/// A dispatcher with descriptors and sources on it: what the checks about sources work at.
///
/// When the check ends, its sources are cancelled, the dispatcher shut down, and only then its descriptors closed.
final class Bench: Sendable {
  let context: CheckContext
  let dispatcher: Dispatcher
  private let descriptors = Shared<[Descriptor]>([])
  private let sources = Shared<[ReadinessSource]>([])
  private let probes = Shared<[Int: Probe]>([:])

  fileprivate init(_ context: CheckContext, _ dispatcher: Dispatcher) {
    self.context = context
    self.dispatcher = dispatcher
  }

  fileprivate func closeDescriptors() {
    for descriptor in descriptors.with({ $0 }) { descriptor.close() }
  }

  fileprivate func cancelSources() {
    for source in sources.with({ $0 }) { source.cancel() }
    sources.with { $0.removeAll() }
    probes.with { $0.removeAll() }
  }

  // MARK: Descriptors

  /// A connection whose ends are closed when the check ends, if they are not by then.
  func ends(_ kind: Ends.Kind = .unixStream) throws -> Ends { keep(try Ends(kind)) }
  func pipe() throws -> Ends { keep(try Ends.pipe()) }

  func keep(_ ends: Ends) -> Ends {
    descriptors.with { $0 += [ends.near, ends.far] }
    return ends
  }

  func keep(_ descriptor: Descriptor) -> Descriptor {
    descriptors.with { $0.append(descriptor) }
    return descriptor
  }

  /// Lets the check forget ends that it has closed itself, where it makes very many.
  func forget(_ ends: Ends) {
    ends.near.close()
    ends.far.close()
    descriptors.with { $0.removeAll { $0 === ends.near || $0 === ends.far } }
  }

  // MARK: Sources

  /// A source that stays alive until the check ends, not activated.
  func source(
    _ descriptor: Descriptor, _ interest: Interest = .read, on queue: any Queue,
    _ handler: (@Sendable (ReadinessEvent) throws -> Void)? = nil
  ) -> ReadinessSource {
    let source = dispatcher.makeReadinessSource(
      descriptor.number, interest: interest, target: queue, handler: handler)
    sources.with { $0.append(source) }
    return source
  }

  /// The same, activated.
  @discardableResult
  func activeSource(
    _ descriptor: Descriptor, _ interest: Interest = .read, on queue: any Queue,
    _ handler: @escaping @Sendable (ReadinessEvent) throws -> Void
  ) throws -> ReadinessSource {
    let source = source(descriptor, interest, on: queue, handler)
    try source.activate()
    return source
  }

  /// Cancels `source` and waits for its cancel handler, which it sets; one that was cancelled before is left alone.
  func cancelAndWait(_ source: ReadinessSource) throws {
    guard !source.isCancelled else { return }
    let done = context.latch()
    source.setCancelHandler { done.signal() }
    source.cancel()
    try done.wait(for: "the cancel handler of \(source)")
  }

  // MARK: Queues

  /// One queue of each style that a source can have as its target, with a name for messages.
  func targets() throws -> [(name: String, queue: any Queue)] {
    let threads = dispatcher.threadQueues
    let pinned = try dispatcher.makeSerialQueue(label: "pinned", target: threads[threads.count - 1])
    return [
      ("a thread queue", threads[0]),
      ("a pinned queue", pinned),
      ("a queue nested in a pinned one", try dispatcher.makeSerialQueue(label: "nested", target: pinned)),
      ("an unpinned queue", dispatcher.makeSerialQueue(label: "unpinned")),
      ("a global queue", dispatcher.global(.high)),
    ]
  }

  // MARK: Proofs that nothing happens

  /// The probe of a worker: a source on its thread queue.
  func probe(_ worker: Int) throws -> Probe {
    if let probe = probes.with({ $0[worker] }) { return probe }
    let probe = try Probe(on: self, queue: dispatcher.threadQueues[worker])
    probes.with { $0[worker] = probe }
    return probe
  }

  /// Waits until every poller has been asked twice and `queues` have run what was submitted to them by then: whatever
  /// was ready before the call has reached its handler, and that handler has ended.
  ///
  /// - Parameter busy: a worker that is held, which no probe can visit.
  func settle(_ queues: any Queue..., except busy: Int? = nil) throws {
    for worker in dispatcher.threadQueues.indices where worker != busy {
      // The wait that brings the first may have begun before the call; the second's has not.
      try probe(worker).roundTrip()
      try probe(worker).roundTrip()
    }
    for queue in queues { try context.drain(queue) }
  }

  /// How many waits all workers have made.
  var waits: Int { dispatcher.metrics.reduce(0) { $0 + $1.waits } }
  /// How many descriptors stand in all pollers.
  var registrations: Int { dispatcher.metrics.reduce(0) { $0 + $1.registrations } }
  /// How many directions are armed in all pollers.
  var armedDirections: Int { dispatcher.metrics.reduce(0) { $0 + $1.armedDirections } }

  /// Lets a while pass and fails if the workers were awake in it: something ready that is not disarmed makes each wait
  /// return at once, which is tens of waits a millisecond. The while is long enough for a tenth of that to be told from
  /// calm, and short because there are a hundred of them.
  ///
  /// A backend may also keep what it knows nothing of to itself, and go on inside one wait for ever: so the processor time of
  /// those workers is looked at whom `settle` has visited.
  func expectCalm(_ circumstances: String) {
    // A change of interest that is still noted takes effect on the way into the next wait: that one is not counted.
    context.pause(.milliseconds(2))
    let visited = probes.with { Array($0.values) }
    let before = waits
    let times = visited.map(\.workerTime)
    let start = Moment.now
    context.pause(.milliseconds(8))
    let allowed = 20 + Int(start.elapsed.inNanoseconds / 1_000_000)
    let used = waits - before
    let half = start.elapsed / 2
    for (probe, time) in zip(visited, times) {
      guard let time, let now = probe.workerTime else { continue }
      let used = now - time
      context.expect(used <= half, "\(circumstances): a worker was busy for \(used) though nothing happened")
    }
    context.expect(used <= allowed, "\(circumstances): the workers waited \(used) times though nothing happened")
    context.record("calm spells")
  }
}

/// A source on a thread queue that is told whenever somebody asks for a round trip.
final class Probe: Sendable {
  private let ends: Ends
  private let answers: Recorder<Int>
  private let asked = Tally()
  /// The clock of the worker's processor time.
  private let clock = Shared<clockid_t?>(nil)

  fileprivate init(on bench: Bench, queue: any Queue) throws {
    ends = try bench.ends()
    answers = bench.context.recorder()
    try bench.activeSource(ends.near, on: queue) { [ends, answers, clock] _ in
      var own = clockid_t()
      if pthread_getcpuclockid(pthread_self(), &own) == 0 { clock.with { [own] in $0 = own } }
      // Only what drained something is an answer.
      if case .bytes(let bytes) = ends.near.receive() { for _ in bytes { answers.append(1) } }
    }
  }

  /// How long the worker has been busy in its life; nil if it has not been visited, or its thread has ended.
  fileprivate var workerTime: Duration? {
    guard let clock = clock.with({ $0 }) else { return nil }
    var time = timespec()
    guard clock_gettime(clock, &time) == 0 else { return nil }
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  /// Writes a byte and waits for the handler to have read it.
  func roundTrip() throws {
    ends.far.send(count: 1)
    try answers.wait(forCount: asked.add(), of: "a probe's event")
  }
}

extension CheckContext {
  /// A bench whose workers do not spin before they sleep, so that waits can be counted.
  func bench(workers: Int = 2, configure: (inout Configuration) -> Void = { _ in }) throws -> Bench {
    let dispatcher = try makeDispatcher(workers: workers) {
      $0.idleSpin = .zero
      configure(&$0)
    }
    let bench = Bench(self, dispatcher)
    atEnd(.descriptors) { bench.closeDescriptors() }
    atEnd(.gates) { bench.cancelSources() }
    return bench
  }
}
