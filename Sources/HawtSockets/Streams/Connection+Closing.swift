import Glibc
import HawtDispatch
import Synchronization

/// Why a connection was closed.
public enum CloseReason: Sendable {
  /// `cancel()` was called.
  case cancelled
  /// Everything was written: after `closeAfterWriting()`, or when the peer had finished sending.
  case finished
  /// The system, the dispatcher or a handler failed; a `SocketError` unless a handler threw something else.
  case failed(any Error)
}

extension Connection {
  /// Sets what runs once on the queue, after the descriptor was closed. Without one, a refusal to watch the descriptor
  /// goes to the dispatcher's error handler (rule S6), and what the peer did passes in silence.
  public func setCloseHandler(_ handler: @escaping @Sendable (CloseReason) throws -> Void) {
    queue.assertExecuting()
    guard phase != .closed else { return }
    socket.closeHandler = handler
  }

  /// Closes the connection; what is pending is not written. Idempotent, never blocks.
  ///
  /// Any thread, in any phase of the dispatcher: elsewhere than on its queue, no handler starts once it has returned, and
  /// the rest follows on the queue; of a stopped dispatcher's, after the restart. If there is none, the descriptor is
  /// closed with the last reference to the dispatcher, and the close handler is not called.
  public func cancel() {
    if queue.isExecuting { close(.cancelled) } else { cancelSources() }
  }

  /// Writes what is pending, tells the peer, and closes. Nothing more is read or accepted for writing. On the queue.
  ///
  /// Writing takes as long as the peer takes to read: one that never does holds the connection until `cancel()`, which a
  /// timer may call.
  ///
  /// - Parameter lingering: how long the peer may take to finish too, what it sends meanwhile being discarded. Closing
  ///   while unread bytes arrive makes the kernel reset the connection, and the peer may then lose what was written.
  public func closeAfterWriting(lingering: Duration = .seconds(2)) {
    queue.assertExecuting()
    guard phase == .open else { return }
    phase = .finishing
    hold(.finishing)
    if lingering > .zero { extras.lingering = lingering }
    if pendingBytes == 0 { allIsWritten() }
  }

  /// The last byte is with the kernel: say so, and wait for the peer unless it has finished already.
  func allIsWritten() {
    let lingering = existingExtras?.lingering ?? .zero
    guard !readHolds.contains(.endOfStream), lingering > .zero, system.finishWriting(descriptor) == 0 else {
      return close(.finished)
    }
    phase = .lingering
    do {
      try startTimer(lingering) { $0.close(.finished) }
    } catch {
      // The dispatcher closes, and waits for no peer.
      return close(.finished)
    }
    discardInput()
  }

  /// Calls `body` on the queue after `time`, unless the extras go before. A source, because a restart revives it: of a
  /// dispatcher's one-shot timers a shutdown leaves none. It does not hold the connection; what is waited for does.
  func startTimer(_ time: Duration, _ body: @escaping @Sendable (Connection) -> Void) throws(SourceError) {
    let timer = queue.dispatcher.makeTimerSource(target: queue) { [weak self] _ in
      if let self { body(self) }
    }
    extras.timer = timer
    timer.schedule(after: time)
    try timer.activate()
  }

  /// Takes over reading, whatever the user had suspended.
  private func discardInput() {
    do {
      try watch()
    } catch {
      return
    }
    readSource.setEventHandler { [self] _ in
      let result = WorkerBuffer.with { system.read(descriptor, into: $0) }
      if result <= 0 && result != -Int(EAGAIN) { close(.finished) }
    }
    changeReading {
      suspensions = 0
      readHolds = []
    }
  }

  func close(_ reason: CloseReason) {
    guard phase != .closed else { return }
    phase = .closed
    // What the user's handlers hold may hold the connection: let go of all of it. The sources see to theirs.
    readHandler = nil
    dropExtras()
    socket.reason = reason
    cancelSources()
  }

  /// Their cancel handlers do the rest: close the connection, its descriptor, and tell the close handler. No task could
  /// do that: a dispatcher that stops refuses tasks, or drops them at its deadline.
  private func cancelSources() {
    readSource.cancel()
    // The queue may be making the write source: see `makeWriteSource`.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    writeSource.load()?.cancel()
  }
}
