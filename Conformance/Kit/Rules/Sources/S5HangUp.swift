import Glibc
import HawtDispatch

extension Rule {
  /// S5: errors and hang-ups are readiness.
  static let s5 = Rule(
    "S5",
    "Errors and hang-ups show as readiness of what was asked for, and stay until cancel or suspend; all bytes before the "
      + "end of file can be read.",
    why:
      "A user learns the end of a connection from the read that returns nothing; an event that comes too early loses "
      + "bytes, one that never comes leaks the connection.",
    whereToLook: ["Sources/Polling (directions)", "Sources/PollingEpoll", "Sources/PollingLibevent"],
    checks: [
      Check("all bytes before the end of file are read", bytesBeforeEnd),
      Check("each kind of ending is told to a reader, a writer, and a source for both", endingsAreTold),
      Check("an ending stays until suspend, comes back with resume, and ends with cancel", endingsStay),
      Check("a refused connection is told", refusedConnectionIsTold),
    ],
    scenarios: [
      Scenario("write to a broken pipe in a handler") { try writeToBrokenPipe($0) }
    ])
}

private func bytesBeforeEnd(_ context: CheckContext) throws {
  let bench = try context.bench()
  let amount = context.scaled(400_000, minimum: 20_000)
  for kind in Ends.Kind.allCases {
    for target in try bench.targets() {
      let ends = try bench.ends(kind)
      let read = Tally()
      let ended = context.latch()
      try bench.activeSource(ends.near, on: target.queue) { event in
        switch ends.near.receive(1_000) {
        case .bytes(let bytes): read.add(bytes.count)
        case .endOfFile:
          event.cancel()
          ended.signal()
        case let other: context.fail("\(kind.rawValue) on \(target.name): an event came with \(other)")
        }
      }
      var left = amount
      while left > 0 {
        let sent = ends.far.send(count: min(left, 8_192))
        if sent > 0 { left -= sent } else { context.pause(.milliseconds(1)) }
      }
      ends.far.close()
      try ended.wait(for: "the end of file on \(target.name)")
      context.expect(
        read.value == amount,
        "\(kind.rawValue) on \(target.name): \(read.value) of \(amount) bytes were read before the end of file")
      context.record("bytes before an end of file", read.value)
    }
  }
}

/// A way for a connection to end, on a connection made for it.
struct Ending: Sendable {
  let name: String
  /// Makes the descriptor that has met its end. The other one, if any, is kept by the bench.
  let make: @Sendable (Bench) throws -> Descriptor
  /// The interests to which it must show.
  var interests: [Interest] = [.read, .write, [.read, .write]]

  static let all = [
    Ending(name: "a hang-up of a Unix stream") { bench in
      let ends = try bench.ends(.unixStream)
      ends.far.close()
      return ends.near
    },
    Ending(name: "a reset TCP connection") { bench in
      let ends = try bench.ends(.tcp)
      ends.near.fill()
      ends.far.resetOnClose()
      ends.far.close()
      return ends.near
    },
    Ending(name: "a TCP connection that both ends closed") { bench in
      let ends = try bench.ends(.tcp)
      ends.near.shutDownWriting()
      ends.far.close()
      return ends.near
    },
    Ending(
      name: "a half-closed TCP connection",
      make: { bench in
        let ends = try bench.ends(.tcp)
        ends.near.fill()
        ends.far.shutDownWriting()
        return ends.near
      }, interests: [.read]),
    Ending(
      name: "a pipe whose writing end is closed",
      make: { bench in
        let ends = try bench.pipe()
        ends.far.close()
        return ends.near
      }, interests: [.read, .write, [.read, .write]]),
    Ending(
      name: "a full pipe whose reading end is closed",
      make: { bench in
        let ends = try bench.pipe()
        ends.far.fill()
        ends.near.close()
        return ends.far
      }),
    Ending(name: "a refused connection") { bench in bench.keep(try Descriptor.refusedConnection()) },
  ]
}

private func endingsAreTold(_ context: CheckContext) throws {
  let bench = try context.bench()
  for ending in Ending.all {
    for interest in ending.interests {
      for target in try bench.targets() {
        let descriptor = try ending.make(bench)
        let told = context.recorder(of: Interest.self)
        let source = try bench.activeSource(descriptor, interest, on: target.queue) { event in
          told.append(event.readiness)
          event.suspend()
        }
        try told.wait(forCount: 1, of: "\(ending.name), asked for \(interest), on \(target.name)")
        context.expect(
          told.all[0] == interest,
          "\(ending.name), asked for \(interest), on \(target.name): was told \(told.all[0])")
        try bench.cancelAndWait(source)
        descriptor.close()
        context.record("endings told")
      }
    }
  }
}

private func endingsStay(_ context: CheckContext) throws {
  let bench = try context.bench()
  let targets = try bench.targets()
  for (index, ending) in Ending.all.enumerated() {
    for (turn, interest) in ending.interests.enumerated() {
      let target = targets[(index + turn) % targets.count]
      let descriptor = try ending.make(bench)
      let told = Tally()
      let spells = [context.latch(4), context.latch(4)]
      let source = bench.source(descriptor, interest, on: target.queue)
      source.setEventHandler { event in
        let number = told.add()
        if number == 4 || number > 10 { event.suspend() }
        spells[number <= 4 ? 0 : 1].signal()
      }
      try source.activate()
      let circumstances = "\(ending.name), asked for \(interest), on \(target.name)"
      try spells[0].wait(for: "4 events of \(circumstances)")
      try bench.settle(target.queue)
      context.expect(told.value == 4, "\(circumstances): told again while suspended")
      bench.expectCalm("\(circumstances), suspended")
      source.resume()
      try spells[1].wait(for: "more events after resume of \(circumstances)")
      try bench.cancelAndWait(source)
      let before = told.value
      try bench.settle(target.queue)
      context.expect(told.value == before, "\(circumstances): told after its cancel handler")
      descriptor.close()
      context.record("endings that stayed")
    }
  }
}

private func refusedConnectionIsTold(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    let codes = context.recorder(of: CInt.self)
    let socket = bench.keep(try Descriptor.refusedConnection())
    let source = try bench.activeSource(socket, .write, on: target.queue) { event in
      codes.append(socket.takeSocketError())
      event.cancel()
    }
    try codes.wait(forCount: 1, of: "a refused connection on \(target.name)")
    // A kernel that refuses within connect() has told the error there already.
    context.expect(codes.all[0] == ECONNREFUSED || codes.all[0] == 0, "the refused socket's error is \(codes.all[0])")
    try context.eventually("the source is cancelled", { source.isCancelled })
    context.record("refused connections")
  }
  try context.expectSuccess(of: "write to a broken pipe in a handler")
}

/// SIGPIPE never kills the process through a handler, and its disposition is none of the library's business.
private func writeToBrokenPipe(_ context: CheckContext) throws {
  let bench = try context.bench()
  for target in try bench.targets() {
    for ends in [try bench.pipe(), try bench.ends(.unixStream), try bench.ends(.tcp)] {
      let codes = context.recorder(of: CInt.self)
      ends.near.resetOnClose()
      ends.near.close()
      try bench.activeSource(ends.far, .write, on: target.queue) { event in
        // Plainly, as a user would: it is the worker's mask that must protect the process.
        var byte: UInt8 = 1
        while write(ends.far.number, &byte, 1) >= 0 || errno != EPIPE { byte &+= 1 }
        codes.append(errno)
        event.cancel()
      }
      try codes.wait(forCount: 1, of: "a write to a broken connection on \(target.name)")
      context.expect(codes.all == [EPIPE], "a write to a broken connection gave \(codes.all)")
      context.record("writes to broken pipes")
    }
  }
  var disposition = sigaction()
  sigaction(SIGPIPE, nil, &disposition)
  context.expect(
    unsafeBitCast(disposition.__sigaction_handler.sa_handler, to: Int.self) == 0,
    "the library changed what the process does at SIGPIPE")
  var mask = sigset_t()
  pthread_sigmask(SIG_BLOCK, nil, &mask)
  context.expect(sigismember(&mask, SIGPIPE) == 0, "the library masked SIGPIPE on a thread of the user's")
}
