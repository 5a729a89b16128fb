import HawtDispatch

extension Rule {
  static let q1 = Rule(
    "Q1", "serial and thread queues are linearizable FIFOs, whoever submits",
    why: "a user who waits for one submission to return before making the next relies on their order",
    whereToLook: [QueueFiles.serial, QueueFiles.thread, "the chunk list's reservation of slots"],
    checks: [
      Check("each producer's order on each kind of queue", eachProducersOrder),
      Check("order between submitters of all sorts, by tickets", orderByTickets),
      Check("the running task's own submissions and foreign ones, alternating", ownAndForeignAlternating),
      Check("a submission from an enclosing queue, a sibling and a timer", othersOnTheSameThread),
    ])
}

/// Several threads submit numbered tasks at once; each one's must run in its order, all of them, once.
private func eachProducersOrder(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 3)
    let queue = try kind.make(dispatcher, "order")
    let producers = 4
    let each = context.scaled(20_000, minimum: 500)
    let next = Unguarded([Int](repeating: 0, count: producers))
    let done = context.latch(producers * each)
    try context.onThreads(producers) { producer, random in
      for number in 0..<each {
        queue.async {
          if next.value[producer] != number {
            context.fail("\(kind): producer \(producer)'s task \(number) ran when \(next.value[producer]) was due")
          }
          next.value[producer] = number + 1
          done.signal()
        }
        if random.oneIn(200) { spin(.microseconds(20)) }
      }
    }
    try done.wait(for: "\(producers * each) tasks on a queue that is \(kind)")
    context.record("tasks in their producer's order", producers * each)
  }
}

/// Linearizability: nothing may run before something whose submission had returned when its own was made.
private final class TicketBook: Sendable {
  /// One submission, on a clock that only counts, and where it came in the order of running.
  private struct Ticket: Sendable {
    let submitter: String
    let callMade: Int
    let callReturned: Int
    let position: Tally
  }

  private let clock = Tally()
  private let runs = Tally()
  private let tickets: Recorder<Ticket>

  init(_ context: CheckContext) { tickets = context.recorder() }

  func submit(to queue: any Queue, as submitter: String) {
    let position = Tally()
    let callMade = clock.add()
    queue.async { [runs] in position.set(runs.add()) }
    let callReturned = clock.add()
    tickets.append(Ticket(submitter: submitter, callMade: callMade, callReturned: callReturned, position: position))
  }

  /// To be called when all have run.
  func judge(_ context: CheckContext, _ what: String) {
    var latest: Ticket?
    let ordered = tickets.all.sorted { $0.position.value < $1.position.value }
    for ticket in ordered {
      context.expect(ticket.position.value > 0, "\(what): a task submitted by \(ticket.submitter) never ran")
      if let latest, ticket.callReturned < latest.callMade {
        context.fail(
          "\(what): a task of \(ticket.submitter) ran after one of \(latest.submitter) that was submitted later")
      }
      if ticket.callMade > latest?.callMade ?? -1 { latest = ticket }
    }
    context.record("submissions by tickets", ordered.count)
  }
}

private func orderByTickets(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher(workers: 3)
    let queue = try kind.make(dispatcher, "tickets")
    let each = context.scaled(2_000, minimum: 100)
    let book = TicketBook(context)
    let ended = context.latch(5)
    // The queue itself, a task of another queue, a pinned queue elsewhere, a chain of timers, and a source.
    chain(each, on: queue, step: { book.submit(to: queue, as: "the queue's own task") }, ended)
    chain(each, on: dispatcher.makeSerialQueue(), step: { book.submit(to: queue, as: "a pooled queue") }, ended)
    chain(
      each, on: dispatcher.threadQueues[2], step: { book.submit(to: queue, as: "another worker's queue") }, ended)
    timerChain(
      each / 10, on: dispatcher.global(), step: { book.submit(to: queue, as: "a timer") }, ended)
    let pipe = try context.makePipe()
    let beats = Tally()
    let source = dispatcher.makeReadSource(pipe.readEnd, target: dispatcher.makeSerialQueue()) { event in
      book.submit(to: queue, as: "a source")
      // Left undrained, the level fires again.
      if beats.add() == each / 10 {
        event.cancel()
        ended.signal()
      }
    }
    try source.activate()
    pipe.write()
    try context.onThreads(3) { _, random in
      for _ in 0..<each {
        book.submit(to: queue, as: "a foreign thread")
        if random.oneIn(100) { spin(.microseconds(50)) }
      }
    }
    try ended.wait(for: "all submitters to a queue that is \(kind)")
    try context.drain(queue)
    book.judge(context, kind.rawValue)
  }
}

/// Runs `step` `count` times, each time from a task that the one before submitted.
func chain(_ count: Int, on queue: any Queue, step: @escaping @Sendable () -> Void, _ ended: Latch) {
  guard count > 0 else { return ended.signal() }
  queue.async {
    step()
    chain(count - 1, on: queue, step: step, ended)
  }
}

/// The same with timers that are due at once or very soon.
func timerChain(_ count: Int, on queue: any Queue, step: @escaping @Sendable () -> Void, _ ended: Latch) {
  guard count > 0 else { return ended.signal() }
  queue.asyncAfter(.microseconds(count % 3 * 50)) {
    step()
    timerChain(count - 1, on: queue, step: step, ended)
  }
}

/// While a task holds the queue, it and a foreign thread submit strictly in turn: no local short cut may overtake.
private func ownAndForeignAlternating(_ context: CheckContext) throws {
  for kind in QueueKind.allCases {
    let dispatcher = try context.makeDispatcher()
    let queue = try kind.make(dispatcher, "alternating")
    let turns = context.scaled(300, minimum: 50)
    let ran = context.recorder(of: Int.self)
    let turn = Shared(-1)
    queue.async {
      turn.with { $0 = 0 }
      for number in stride(from: 1, to: turns, by: 2) {
        _ = turn.wait(atMost: context.patience) { $0 == number }
        queue.async { ran.append(number) }
        turn.with { $0 = number + 1 }
      }
    }
    for number in stride(from: 0, to: turns, by: 2) {
      try context.require(turn.wait(atMost: context.patience) { $0 == number }, "turn \(number) never came")
      queue.async { ran.append(number) }
      turn.with { $0 = number + 1 }
    }
    let last = turns - turns % 2
    let order = try ran.wait(forCount: last, of: "alternating submissions")
    context.expect(
      order == Array(0..<last), "\(kind): submitted 0 to \(last - 1) in turn, ran as \(order.prefix(40))…")
    context.record("alternating submissions", order.count)
  }
}

/// A worker's other queues hand tasks to a queue of the same worker, where a short cut would be tempting.
private func othersOnTheSameThread(_ context: CheckContext) throws {
  let dispatcher = try context.makeDispatcher(workers: 1)
  let parent = dispatcher.makeSerialQueue(label: "parent")
  let queue = try dispatcher.makeSerialQueue(label: "child", target: parent)
  let sibling = try dispatcher.makeSerialQueue(label: "sibling", target: parent)
  let submitters: [any Queue] = [queue, parent, sibling, dispatcher.threadQueues[0], dispatcher.global(.high)]
  let ran = context.recorder(of: Int.self)
  let rounds = context.scaled(400, minimum: 50)
  let handedOver = context.latch(rounds)
  /// Each step submits one number, then passes the pen to another queue: the submissions are strictly ordered.
  @Sendable func step(_ number: Int) {
    guard number < rounds else { return }
    var random = context.random(number)
    let submitter = random.pick(submitters)
    let write: @Sendable () -> Void = {
      queue.async { ran.append(number) }
      handedOver.signal()
      step(number + 1)
    }
    if random.oneIn(5) { submitter.asyncAfter(.zero, write) } else { submitter.async(write) }
  }
  step(0)
  try handedOver.wait(for: "the pen to go round")
  let order = try ran.wait(forCount: rounds, of: "tasks")
  context.expect(order == Array(0..<rounds), "submitted in order, ran as \(order.prefix(40))…")
  context.record("submissions from other queues of the thread", rounds)
}
