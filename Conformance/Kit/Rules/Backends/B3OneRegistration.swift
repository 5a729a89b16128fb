import Glibc
import HawtDispatch
import Polling

extension Rule {
  /// B3: a descriptor is in a poller once.
  static let b3 = Rule(
    "B3", "One registration per descriptor and poller; a second is refused before the backend is asked.",
    why: "Kernels and libraries differ in what a second registration of one number means; none has to say.",
    whereToLook: ["Sources/Polling/Poller/Poller+Registration.swift"],
    checks: [
      Check("a second registration is refused, and the backend not asked", secondIsRefused),
      Check("many sources on one descriptor are one registration a poller", manySourcesOneRegistration),
    ])
}

/// A poller without a dispatcher, on the observed backend.
func observedPoller(_ context: CheckContext) throws -> (poller: Poller, observer: BackendObserver) {
  let observer = BackendObserver()
  BackendObserver.present.with { $0 = observer }
  context.atEnd(.descriptors) { BackendObserver.present.with { $0 = nil } }
  let poller = try context.subject.laboratory.observed.makePoller(eventsPerWait: 64)
  context.atEnd(.dispatchers) { [weak context] in
    poller.close()
    for breach in Set(observer.breaches) { context?.fail("the poller broke the backend's contract: \(breach)") }
  }
  return (poller, observer)
}

private func secondIsRefused(_ context: CheckContext) throws {
  let (poller, observer) = try observedPoller(context)
  let ends = try Ends.unixStream()
  defer { ends.near.close() }
  for first: Interest in [.read, .write, [.read, .write], []] {
    let slot = try poller.register(ends.near.number, interest: first, context: 1)
    for second: Interest in [.read, .write, []] {
      let before = observer.calls.count
      let error = thrown { _ = try poller.register(ends.near.number, interest: second, context: 2) } as? BackendError
      context.expect(
        error?.code == EEXIST && error?.operation == .add,
        "a second registration of one descriptor: \(error.map { "\($0)" } ?? "no error"); wanted EEXIST")
      context.expect(observer.calls.count == before, "the backend was asked: \(observer.calls.dropFirst(before))")
      context.record("second registrations")
    }
    context.expect(poller.slot(for: ends.near.number) == slot, "the first registration is not the one that is kept")
    poller.unregister(slot)
    context.expect(poller.slot(for: ends.near.number) == nil, "a descriptor that was taken out is still registered")
  }
}

private func manySourcesOneRegistration(_ context: CheckContext) throws {
  let (bench, observer) = try context.observedBench(workers: 3)
  for round in 0..<3 {
    let ends = try bench.ends()
    let targets = try bench.targets()
    let sources = try (0..<12).map { index in
      try bench.activeSource(ends.near, index % 2 == round % 2 ? .read : .write, on: targets[index % 5].queue) {
        event in
        event.suspend()
      }
    }
    try bench.settle()
    let calls = observer.calls.filter { $0.descriptor == ends.near.number }
    let pollers = Set(sources.compactMap(\.registeredWorker))
    // Joining may renew a registration; what must not be is two at once, which the observer looks at in every call.
    context.expect(
      Set(calls.map(\.instance)).count == pollers.count,
      "12 sources on \(pollers.count) workers registered with \(Set(calls.map(\.instance)).count) pollers")
    for source in sources { try bench.cancelAndWait(source) }
    try bench.settle()
    let left = Set(observer.calls.map(\.instance)).filter { instance in
      observer.calls.last { $0.instance == instance && $0.descriptor == ends.near.number }.map { !$0.new.isEmpty }
        ?? false
    }
    context.expect(left.isEmpty, "with all sources cancelled, the descriptor stays with \(left.count) pollers")
    context.record("sources on one descriptor", sources.count)
  }
}
