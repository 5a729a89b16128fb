import Glibc
import HawtDispatch
import Synchronization

extension Connection {
  /// How many bytes wait because the peer has not taken them yet. On the queue.
  public var pendingBytes: Int {
    queue.assertExecuting()
    return existingExtras?.pending.count ?? 0
  }

  /// Sets what runs on the queue when, after more than `waterMarks.high` bytes were pending, no more than
  /// `waterMarks.low` are: the moment to go on producing. Errors that it throws are treated as the read handler's.
  public func setDrainHandler(_ handler: @escaping @Sendable (Connection) throws -> Void) {
    queue.assertExecuting()
    guard phase == .open else { return }
    extras.drainHandler = handler
  }

  /// Writes, without blocking: what the kernel takes at once with one system call; the rest is copied and follows in
  /// order as the peer reads. Never raises SIGPIPE.
  ///
  /// Nothing bounds what may be pending: a producer that is not driven by reads looks at `pendingBytes` and goes on in
  /// the drain handler.
  ///
  /// - Throws: what the system says (the connection is closed then), `.closed`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(SocketError) {
    queue.assertExecuting()
    guard phase == .open else { throw .closed(subject: description) }
    guard !bytes.isEmpty else { return }
    var taken = 0
    if existingExtras?.pending.isEmpty ?? true {
      taken = try writeOnce(bytes)
      if taken == bytes.count { return }
    }
    let extras = extras
    extras.pending.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
    if extras.pending.count > options.waterMarks.high, !isAboveHighWater {
      isAboveHighWater = true
      if options.pausesReadsWhileWriting { hold(.backPressure) }
    }
    try setWriteSource(armed: true)
  }

  /// `write` for a span, such as `read` hands out.
  public func write(_ bytes: RawSpan) throws(SocketError) {
    try bytes.withUnsafeBytes { (bytes) throws(SocketError) in try write(bytes) }
  }

  /// `write` for an array.
  public func write(_ bytes: [UInt8]) throws(SocketError) {
    try write(bytes.span.bytes)
  }

  /// Runs when the kernel takes more: one system call, for all that it takes.
  func continueWriting() throws {
    guard let extras = existingExtras, !extras.pending.isEmpty else { return }
    do {
      let taken = try writeOnce(extras.pending.bytes)
      extras.pending.consume(taken)
      if extras.pending.isEmpty {
        try setWriteSource(armed: false)
        if phase == .finishing { return allIsWritten() }
      }
      guard isAboveHighWater, extras.pending.count <= options.waterMarks.low else { return }
      isAboveHighWater = false
      release(.backPressure)
      try extras.drainHandler?(self)
    } catch {
      try handlerFailed(error)
    }
  }

  /// Bytes that the kernel took, 0 if it takes none now.
  private func writeOnce(_ bytes: UnsafeRawBufferPointer) throws(SocketError) -> Int {
    let result = system.write(descriptor, bytes)
    if result >= 0 { return result }
    if result == -Int(EAGAIN) { return 0 }
    let error = SocketError.system(.write, subject: description, errno: CInt(-result))
    close(.failed(error))
    throw error
  }

  /// Arming and disarming costs a system call at most, when the next wait begins. The handler holds the connection while
  /// it is armed, and no longer: one that was never activated is then closed by being dropped.
  func setWriteSource(armed: Bool) throws(SocketError) {
    guard armed != isWriteSourceArmed else { return }
    isWriteSourceArmed = armed
    let existing = writeSource.load()
    if !armed {
      existing?.suspend()
      existing?.setEventHandler { _ in }
      return
    }
    let source = existing ?? makeWriteSource()
    source.setEventHandler { [self] _ in
      if phase == .connecting { try concludeConnecting() } else { try continueWriting() }
    }
    if existing == nil { try activate(source) } else { source.resume() }
  }

  private func makeWriteSource() -> ReadinessSource {
    let made = queue.dispatcher.makeWriteSource(descriptor, target: queue)
    // First: a cancel from elsewhere finds what is stored, and a source that is cancelled takes no handler.
    socket.isWatched(by: made)
    _ = writeSource.storeIfNil(made)
    // A cancel that came too early to find it has cancelled the read source: each stores its own, then looks for the other's.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    if readSource.isCancelled { made.cancel() }
    return made
  }
}
