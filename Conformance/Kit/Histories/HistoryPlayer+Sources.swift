import Glibc
import HawtDispatch

/// Connections and sources.
extension HistoryPlayer {
  func prepareConnection(_ step: HistoryStep) -> (() -> HistoryOutcome)? {
    let number = step.number
    switch step.operation {
    case .connect(let kind): return { [self] in connect(number, kind) }
    case .makeReader(let name, let target, let take):
      guard let connection = usable(name), connection.claimReader() else { return nil }
      return { [self] in makeReader(number, name, connection, queue(target), take) }
    case .makeWriter(let name, let target, let fills):
      let isAlone = history.pace == .lockstep
      guard let connection = usable(name), connection.claimWriter(fills, isAlone: isAlone) else { return nil }
      return { [self] in makeWriter(number, name, connection, queue(target), fills) }
    case .makeRefused(let kind, let target): return { [self] in makeRefused(number, kind, queue(target)) }
    case .makeMerger(let target): return { [self] in makeMerger(number, queue(target)) }
    case .write(let name, let count):
      guard let connection = things.with({ $0.connections[name] }), connection.isWritable else { return nil }
      return { connection.write(count) }
    case .fill(let name):
      guard let connection = usable(name), connection.canBeFilled else { return nil }
      return { connection.fill() }
    case .drain(let name):
      guard let connection = things.with({ $0.connections[name] }), connection.now.farIsOpen else { return nil }
      return {
        connection.drain()
        return .done
      }
    case .end(let name, let ending):
      guard let connection = things.with({ $0.connections[name] }), connection.canEnd(ending) else { return nil }
      return {
        connection.end(ending)
        return .done
      }
    case .close(let name):
      guard let connection = usable(name) else { return nil }
      return { [self] in close(name, connection) }
    case .replace(let name, let keepsDuplicate, let predecessors):
      guard let connection = usable(name) else { return nil }
      return { [self] in replace(name, connection, by: number, keepsDuplicate, predecessors) }
    default: return nil
    }
  }

  /// A connection whose near end is still its own.
  private func usable(_ name: Int) -> HistoryConnection? {
    guard let connection = things.with({ $0.connections[name] }), !connection.now.nearIsGone else { return nil }
    return connection
  }

  // MARK: Connections

  private func connect(_ number: Int, _ kind: Ends.Kind) -> HistoryOutcome {
    outcome {
      let ends = try Ends(kind)
      if kind == .unixStream { ends.near.limitRoom() }
      things.with { $0.connections[number] = HistoryConnection(number, kind, near: ends.near, far: ends.far) }
    }
  }

  private func sources(of name: Int) -> [ReadinessSource] {
    things.with { things in (things.sourcesOfConnection[name] ?? []).compactMap { things.readiness[$0] } }
  }

  private func close(_ name: Int, _ connection: HistoryConnection) -> HistoryOutcome {
    connection.change { $0.nearIsGone = true }
    let own = sources(of: name)
    for source in own { source.cancel() }
    stage.dispatcher.whenCancelled(own, on: stage.dispatcher.global()) { [self] in
      enter(.closing(name))
      connection.near.close()
      log.append(.ended(.closing(name)))
    }
    return .done
  }

  /// The old file goes, and in the same step its number stands for the new connection.
  private func replace(
    _ name: Int, _ old: HistoryConnection, by number: Int, _ keepsDuplicate: Bool, _ predecessors: Predecessors
  ) -> HistoryOutcome {
    let own = sources(of: name)
    switch predecessors {
    // Without a permit: nobody will resume them, as what they would be told of the successor is promised to nobody.
    case .suspended: for source in own { source.suspend() }
    case .cancelledBefore: for source in own { source.cancel() }
    case .cancelledAfter: break
    }
    return outcome {
      let ends = try Ends(.unixStream)
      ends.near.limitRoom()
      old.giveNumber(to: ends.near, keepsDuplicate: keepsDuplicate)
      ends.near.close()
      things.with {
        $0.connections[number] = HistoryConnection(number, .unixStream, near: old.near, far: ends.far)
        if predecessors == .suspended { $0.sourcesOfConnection[number] = $0.sourcesOfConnection[name] }
      }
      guard predecessors == .cancelledAfter else { return }
      // A duplicate goes on being ready: in a race its source is told of that meanwhile.
      if history.pace == .racing { spin(.microseconds(50)) }
      for source in own { source.cancel() }
    }
  }

  // MARK: Sources

  private func keep(_ number: Int, _ source: ReadinessSource, of connection: Int? = nil) -> HistoryOutcome {
    source.setCancelHandler { [self, weak source] in
      enter(.cancelHandler(number))
      if source?.registeredWorker != nil { log.append(.breach(.stillRegistered(source: number))) }
      log.append(.ended(.cancelHandler(number)))
    }
    things.with {
      $0.readiness[number] = source
      if let connection { $0.sourcesOfConnection[connection, default: []].append(number) }
    }
    return .done
  }

  private func makeReader(
    _ number: Int, _ name: Int, _ connection: HistoryConnection, _ queue: any Queue, _ take: Int
  ) -> HistoryOutcome {
    let limit = Tally(take)
    things.with { $0.limits[number] = limit }
    let source = stage.dispatcher.makeReadSource(connection.near.number, target: queue) { [self] event in
      enter(.handler(number))
      let atMost = limit.value
      if atMost == 0 {
        suspendOwn(number, event)
      } else {
        let (result, isOwn) = connection.receive(atMost)
        log.append(.read(source: number, atMost: atMost, result))
        if !isOwn { log.append(.breach(.foreignBytes(source: number))) }
        // An end stays for ever.
        switch result {
        case .bytes, .nothing, .gone: break
        case .end, .failed: suspendOwn(number, event)
        }
      }
      endHandler(number)
    }
    return keep(number, source, of: name)
  }

  private func makeWriter(
    _ number: Int, _ name: Int, _ connection: HistoryConnection, _ queue: any Queue, _ fills: Bool
  ) -> HistoryOutcome {
    let source = stage.dispatcher.makeWriteSource(connection.near.number, target: queue) { [self] event in
      enter(.handler(number))
      // Where nobody is left to drain it, room stays for ever.
      if !fills || !fillOwn(number, name, connection) { suspendOwn(number, event) }
      endHandler(number)
    }
    return keep(number, source, of: name)
  }

  /// A handler fills its connection: a step like any other, but for its name.
  private func fillOwn(_ number: Int, _ name: Int, _ connection: HistoryConnection) -> Bool {
    let step = nextExtraNumber()
    log.append(.called(number: step, .fill(connection: name), by: .handler(number)))
    let outcome = connection.fill()
    log.append(.returned(number: step, outcome))
    return outcome == .done
  }

  /// Last thing in an event handler: when it runs for the first time it does its steps.
  private func endHandler(_ number: Int) {
    let isFirst = things.with { $0.handlersRun.insert(number).inserted }
    if isFirst { for step in bodies[.handler(number)] ?? [] { perform(step) } }
    log.append(.ended(.handler(number)))
  }

  /// A handler suspends its source: a step like any other, but for its name.
  private func suspendOwn(_ number: Int, _ event: ReadinessEvent) {
    let step = nextExtraNumber()
    log.append(.called(number: step, .suspend(.source(number)), by: .handler(number)))
    event.suspend()
    log.append(.returned(number: step, .done))
    things.with { $0.permits[.source(number), default: 0] += 1 }
  }

  private func makeRefused(_ number: Int, _ kind: Unpollable, _ queue: any Queue) -> HistoryOutcome {
    var descriptor: CInt = -1
    if kind == .file {
      // Of a regular file: there all backends agree, which they need not of a device.
      descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
      let stray = Descriptor(descriptor)
      things.with { $0.strays.append(stray) }
    }
    let source = stage.dispatcher.makeReadSource(descriptor, target: queue) { [self] _ in
      enter(.handler(number))
      log.append(.ended(.handler(number)))
    }
    // After a restart the refusal comes late; the cancel handler that follows is what is judged.
    source.setErrorHandler { _ in }
    return keep(number, source)
  }

  private func makeMerger(_ number: Int, _ queue: any Queue) -> HistoryOutcome {
    let merger = stage.dispatcher.makeMergingSource(Aggregation<Int, [Int]>.list, target: queue) { [self] elements in
      enter(.handler(number))
      log.append(.took(source: number, elements))
      endHandler(number)
    }
    merger.setCancelHandler { [self] residue in
      enter(.cancelHandler(number))
      log.append(.took(source: number, residue ?? []))
      log.append(.ended(.cancelHandler(number)))
    }
    things.with { $0.mergers[number] = merger }
    return .done
  }
}

extension HistoryConnection {
  /// Whether the far end can write and somebody is there to get it.
  var isWritable: Bool { change { $0.farIsOpen && !$0.hasEnded && (!$0.nearIsGone || $0.duplicate != nil) } }

  /// Says whether the far end can still be ended so, and that it now is.
  func canEnd(_ ending: FarEnd) -> Bool {
    change { state in
      guard state.farIsOpen, ending != .reset || kind == .tcp else { return false }
      if ending == .halfClose && state.hasEnded { return false }
      state.hasEnded = true
      return true
    }
  }

  /// Room is told for sure only of a pair of which the peer keeps all that was written.
  var canBeFilled: Bool { kind == .unixStream && now.farIsOpen }

  /// Whether another source may wait for room, and perhaps fill it.
  ///
  /// - Parameter isAlone: whether one that fills it must be the only one. Another may have been told of the room before,
  ///   and whether it was is chance.
  func claimWriter(_ fills: Bool, isAlone: Bool) -> Bool {
    change { state in
      guard !fills || (kind == .unixStream && state.farIsOpen) else { return false }
      guard !isAlone || (!state.hasFiller && !(fills && state.writers > 0)) else { return false }
      state.writers += 1
      state.hasFiller = state.hasFiller || fills
      return true
    }
  }

  /// One reader a connection: two would race for its bytes.
  func claimReader() -> Bool {
    change { state in
      defer { state.hasReader = true }
      return !state.hasReader
    }
  }
}
