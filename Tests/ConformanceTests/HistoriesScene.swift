@testable import HawtConformance

/// A log written by hand.
struct Scene: Sendable {
  private(set) var events: [HistoryEvent] = []

  init(_ write: (inout Scene) -> Void) { write(&self) }

  /// A call and its return.
  mutating func did(
    _ number: Int, _ operation: HistoryOperation, by actor: HistoryActor = .outside(0),
    _ outcome: HistoryOutcome = .done
  ) {
    called(number, operation, by: actor)
    returned(number, outcome)
  }
  mutating func called(_ number: Int, _ operation: HistoryOperation, by actor: HistoryActor = .outside(0)) {
    events.append(.called(number: number, operation, by: actor))
  }
  mutating func returned(_ number: Int, _ outcome: HistoryOutcome = .done) {
    events.append(.returned(number: number, outcome))
  }

  /// User code from its start to its end, with what it does between.
  mutating func ran(
    _ work: HistoryWork, on queue: QueueName = .serial(0), _ worker: Int = 0, _ inside: (inout Scene) -> Void = { _ in }
  ) {
    started(work, on: queue, worker)
    inside(&self)
    note(.ended(work))
  }
  mutating func started(_ work: HistoryWork, on queue: QueueName = .serial(0), _ worker: Int = 0) {
    events.append(.started(work, on: queue, worker: worker))
  }

  mutating func note(_ event: HistoryEvent) { events.append(event) }
  mutating func rest() { note(.rest) }

  /// Two calls from two threads, each of which begins before the other has returned.
  mutating func race(_ one: Int, _ first: HistoryOperation, _ other: Int, _ second: HistoryOperation) {
    called(one, first)
    called(other, second, by: .outside(1))
    returned(one)
    returned(other)
  }

  /// A retarget's completion.
  mutating func completed(_ number: Int, on queue: QueueName, _ worker: Int = 0, isSuperseded: Bool = false) {
    ran(.completion(number), on: queue, worker) { $0.note(.completed(number, isSuperseded: isSuperseded)) }
  }

  // MARK: What many scenes begin with

  mutating func submitted(_ numbers: Int..., to queue: QueueName = .serial(0)) {
    for number in numbers { did(number, .submit(queue), .accepted) }
  }

  /// Connection c10 with reader s11 on q0, 16 bytes at a time.
  mutating func reading() {
    did(10, .connect(.unixStream))
    did(11, .makeReader(connection: 10, .serial(0), take: 16))
    did(12, .activate(11))
  }

  /// Connection c10 with writer s11 on q0, which has filled it.
  mutating func filling() {
    did(10, .connect(.unixStream))
    did(11, .makeWriter(connection: 10, .serial(0), fills: true))
    did(12, .activate(11))
    filled(100)
  }

  /// Writer s11 is told of room, and fills it.
  mutating func filled(_ step: Int) {
    ran(.handler(11)) { $0.did(step, .fill(connection: 10), by: .handler(11)) }
  }

  /// Merging source s20 on q0.
  mutating func gathering() {
    did(20, .makeMerger(.serial(0)))
    did(21, .activate(20))
  }

  mutating func read(_ result: ReadResult, _ worker: Int = 0) {
    ran(.handler(11), .serial(0), worker, result)
  }
  private mutating func ran(_ work: HistoryWork, _ queue: QueueName, _ worker: Int, _ result: ReadResult) {
    ran(work, on: queue, worker) { $0.note(.read(source: 11, atMost: 16, result)) }
  }

  mutating func took(_ elements: Int...) {
    ran(.handler(20)) { $0.note(.took(source: 20, elements)) }
  }
  mutating func residue(_ elements: Int...) {
    ran(.cancelHandler(20)) { $0.note(.took(source: 20, elements)) }
  }
}

/// A right log, and the same with one thing wrong in it.
struct Planted: Sendable, CustomStringConvertible {
  let description: String
  /// The rule that the model must name.
  let rule: String
  let right: Scene
  let wrong: Scene

  init(_ description: String, _ rule: String, right: (inout Scene) -> Void, wrong: (inout Scene) -> Void) {
    self.description = description
    self.rule = rule
    self.right = Scene(right)
    self.wrong = Scene(wrong)
  }
}
