import Glibc
import HawtDispatch

extension Rule {
  /// S6: a refused registration is the user's typed error.
  static let s6 = Rule(
    "S6",
    "A registration that the system refuses reaches the user as a typed error, thrown or told to the source's error "
      + "handler; the source is then cancelled, others go on unharmed.",
    why: "A source that silently never fires looks like a peer that never speaks; one that takes the loop down with it "
      + "turns one bad descriptor into an outage.",
    whereToLook: ["Sources/HawtDispatch/Sources (registering)", "Sources/HawtDispatch/Support/Errors.swift"],
    capabilities: [.processFiles],
    checks: [
      Check("activate throws what the system said, and the source is cancelled", activationIsRefused),
      Check("an interest in nothing is refused", emptyInterestIsRefused),
      Check("a refusal in a handler or task is thrown there", refusalWithinATask),
      Check("a refusal after a migration is told to the error handler", refusalAfterMigration),
      Check("without an error handler the dispatcher's is told", refusalWithoutHandler),
      Check("a refusal that a shutdown finds untold is told after the restart", refusalIsOwed),
      Check("a limit of the system, met at activation and at a migration", limitOfTheSystem),
      Check("a cancelled source refuses activation", activationAfterCancel),
      Check("an error thrown by a handler is reported, and the source goes on", handlersThatThrow),
    ])
}

/// A descriptor that the system refuses.
struct BadDescriptor: Sendable {
  let name: String
  let code: CInt
  let make: @Sendable (Bench) throws -> CInt

  static let all = [
    BadDescriptor(name: "a negative number", code: EBADF) { _ in -1 },
    BadDescriptor(name: "the least number", code: EBADF) { _ in CInt.min },
    BadDescriptor(name: "a number that is not open", code: EBADF) { _ in 1_000_000 },
    BadDescriptor(name: "a closed descriptor", code: EBADF) { _ in
      // High, where no other thread of the process opens anything meanwhile.
      let ends = try Ends.unixStream()
      let high = fcntl(ends.near.number, F_DUPFD_CLOEXEC, Process.highDescriptor)
      close(high)
      return high
    },
    BadDescriptor(name: "a regular file", code: EPERM) { try openFile($0, "/proc/self/exe", O_RDONLY) },
    BadDescriptor(name: "a directory", code: EPERM) { try openFile($0, "/", O_RDONLY | O_DIRECTORY) },
  ]

  private static func openFile(_ bench: Bench, _ path: String, _ flags: CInt) throws -> CInt {
    let number = open(path, flags | O_CLOEXEC)
    guard number >= 0 else { throw CheckFailure("could not open \(path): errno \(errno)") }
    return bench.keep(Descriptor(number)).number
  }
}

/// Whether `error` says that the system refused to register `descriptor`, with `code`.
func isRefusal(_ error: (any Error)?, of descriptor: CInt, code: CInt) -> Bool {
  guard case .registration(let refusal)? = error as? SourceError else { return false }
  return refusal.code == code && refusal.descriptor == descriptor
}

/// What `body` throws.
func thrown(by body: () throws -> Void) -> (any Error)? {
  do {
    try body()
    return nil
  } catch { return error }
}

private func activationIsRefused(_ context: CheckContext) throws {
  let bench = try context.bench()
  for bad in BadDescriptor.all {
    for interest: Interest in [.read, .write, [.read, .write]] {
      for target in try bench.targets() {
        let number = try bad.make(bench)
        let registrations = bench.registrations
        let cancelled = context.latch()
        let events = Tally()
        let source = bench.dispatcher.makeReadinessSource(
          number, interest: interest, target: target.queue, handler: { _ in events.add() })
        source.setCancelHandler { cancelled.signal() }
        source.setErrorHandler { context.fail("\(bad.name): what was thrown was told again: \($0)") }
        let error = thrown { try source.activate() }
        let circumstances = "\(bad.name) for \(interest) on \(target.name)"
        context.expect(
          isRefusal(error, of: number, code: bad.code),
          "\(circumstances): wanted errno \(bad.code), got \(error.map { "\($0)" } ?? "no error")")
        context.expect(source.isCancelled, "\(circumstances): the source is not cancelled")
        context.expect(source.registeredWorker == nil, "\(circumstances): it says that it is registered")
        context.expect(bench.registrations == registrations, "\(circumstances): a registration is left")
        try cancelled.wait(for: "the cancel handler: \(circumstances)")
        // A second activation has no effect, or says that the source is cancelled; it registers nothing.
        _ = thrown { try source.activate() }
        source.cancel()
        try bench.settle(target.queue)
        context.expect(cancelled.count == 0, "\(circumstances): the cancel handler ran more than once")
        context.expect(events.value == 0, "\(circumstances): it told of readiness")
        context.record("refusals")
      }
    }
  }
}

private func emptyInterestIsRefused(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    let source = bench.source(ends.near, [], on: target.queue) { _ in context.fail("an interest in nothing fired") }
    let error = thrown { try source.activate() } as? SourceError
    context.expect(
      error == .emptyInterest(descriptor: ends.near.number),
      "an interest in nothing on \(target.name): \(error.map { "\($0)" } ?? "no error")")
    context.expect(source.registeredWorker == nil, "an interest in nothing was registered")
    ends.far.close()
    try bench.settle(target.queue)
    bench.expectCalm("a source that asked for nothing, and a hang-up")
    context.record("empty interests")
  }
}

private func refusalWithinATask(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let errors = context.recorder(of: String.self)
    target.queue.async {
      let source = bench.dispatcher.makeReadSource(-1, target: target.queue)
      let error = thrown { try source.activate() }
      errors.append(isRefusal(error, of: -1, code: EBADF) ? "refused" : "\(String(describing: error))")
    }
    try errors.wait(forCount: 1, of: "activate() in a task on \(target.name)")
    context.expect(errors.all == ["refused"], "activate() in a task on \(target.name): \(errors.all)")
    let ends = try bench.ends()
    try bench.activeSource(ends.near, on: target.queue) { event in
      let source = bench.dispatcher.makeReadSource(-1, target: target.queue)
      let error = thrown { try source.activate() }
      errors.append(isRefusal(error, of: -1, code: EBADF) ? "refused" : "\(String(describing: error))")
      event.cancel()
    }
    ends.far.send([1])
    try errors.wait(forCount: 2, of: "activate() in a handler on \(target.name)")
    context.expect(errors.all.last == "refused", "activate() in a handler on \(target.name): \(errors.all)")
    context.record("refusals within tasks", 2)
  }
}

private func activationAfterCancel(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let ends = try bench.ends()
    let source = bench.source(ends.near, on: target.queue) { _ in context.fail("a cancelled source fired") }
    source.cancel()
    let error = thrown { try source.activate() } as? SourceError
    var isRight = false
    if case .cancelled(let name)? = error { isRight = !name.isEmpty }
    context.expect(isRight, "activate() after cancel(): \(error.map { "\($0)" } ?? "no error")")
    ends.far.send([1])
    try bench.settle(target.queue)
    context.record("activations after cancel")
  }
}

/// An error that means nothing to the library.
struct UserError: Error, Sendable, Hashable {
  let number: Int
}

private func handlersThatThrow(_ context: CheckContext) throws {
  let failures = context.recorder(of: TaskFailure.self)
  let bench = try context.bench { $0.errorHandler = { failures.append($0) } }
  for target in try bench.targets() {
    failures.removeAll()
    let ends = try bench.ends()
    let told = context.recorder(of: Received.self)
    let source = try bench.activeSource(ends.near, on: target.queue) { _ in
      told.append(ends.near.receive(1))
      throw UserError(number: told.count)
    }
    source.setCancelHandler { throw UserError(number: 0) }
    ends.far.send([1, 2])
    try told.wait(forCount: 2, of: "events after a handler threw on \(target.name)")
    try failures.wait(forCount: 2, of: "errors thrown by handlers on \(target.name)")
    source.cancel()
    let all = try failures.wait(forCount: 3, of: "an error thrown by a cancel handler on \(target.name)")
    context.expect(
      all.map { ($0.error as? UserError)?.number } == [1, 2, 0], "on \(target.name), the errors told were \(all)")
    context.expect(
      all.map(\.kind) == [.eventHandler, .eventHandler, .cancelHandler],
      "on \(target.name), the kinds told were \(all.map(\.kind))")
    context.expect(
      all.allSatisfy { $0.queueLabel == target.queue.label },
      "on \(target.name), the labels told were \(all.map(\.queueLabel))")
    context.record("errors thrown by handlers", all.count)
  }
}
