import Glibc
import HawtDispatch

/// What a read found.
public enum ReadOutcome: Sendable, Hashable {
  /// So many bytes, at least 1.
  case bytes(Int)
  /// Nothing more for now: the read handler runs when there is.
  case wouldBlock
  /// The peer has sent everything. The read handler does not run again.
  case endOfStream
}

extension Connection {
  /// Sets what runs on the queue whenever there is something to read; it runs again for what it leaves unread (rule
  /// S1). Read once in it: that costs one system call, and a short read needs no second one to learn that it is empty.
  ///
  /// If it throws, the connection is closed with that error; an error that is no `SocketError` also goes to the
  /// dispatcher's error handler (rule Q10).
  public func setReadHandler(_ handler: @escaping @Sendable (Connection) throws -> Void) {
    queue.assertExecuting()
    guard phase == .open else { return }
    if isWatched { installReadHandler(handler) } else { readHandler = handler }
    release(.noHandler)
  }

  /// Reads once into `buffer`, without blocking: one system call.
  ///
  /// - Precondition: `buffer` is not empty.
  /// - Throws: what the system says (the connection is closed then), `.closed`.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SocketError) -> ReadOutcome {
    queue.assertExecuting()
    trap(unless: !buffer.isEmpty, "Connection.read: an empty buffer cannot tell no bytes from the end of the stream")
    guard phase == .open else { throw .closed(subject: description) }
    let result = system.read(descriptor, into: buffer)
    return result > 0 ? .bytes(result) : try concludeRead(result)
  }

  /// Reads once, at most 64 KiB, and calls `body` with the bytes if there are any; they are valid during the call. Uses
  /// one buffer per thread, so that idle connections hold none.
  ///
  /// - Throws: as `read(into:)`, and what `body` throws.
  @discardableResult
  public func read(_ body: (RawSpan) throws -> Void) throws -> ReadOutcome {
    try WorkerBuffer.with { buffer in
      let outcome = try read(into: buffer)
      if case .bytes(let count) = outcome { try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes) }
      return outcome
    }
  }

  /// Holds the read handler from its next run on; nests. What the peer sends fills the kernel's buffers meanwhile, and
  /// then holds the peer. Costs no CPU.
  public func suspendReads() {
    queue.assertExecuting()
    changeReading { suspensions += 1 }
  }

  /// Ends one `suspendReads()`. Traps if there is none to end.
  public func resumeReads() {
    queue.assertExecuting()
    trap(unless: suspensions > 0, "Connection.resumeReads: \(self) has no suspension to end")
    changeReading { suspensions -= 1 }
  }

  /// Whether the read handler is held: by `suspendReads()`, by bytes that wait to be written, because the peer has
  /// finished, or because none has been set.
  public var isReadingHeld: Bool {
    queue.assertExecuting()
    return suspensions > 0 || !readHolds.isEmpty
  }

  func hold(_ reason: ReadHolds) { changeReading { readHolds.insert(reason) } }

  func release(_ reason: ReadHolds) { changeReading { readHolds.remove(reason) } }

  /// The source is suspended once, however many the reasons, so that only the first and the last touch it.
  func changeReading(_ change: () -> Void) {
    let before = isReadingHeld
    change()
    guard before != isReadingHeld else { return }
    if before { readSource.resume() } else { readSource.suspend() }
  }

  func installReadHandler(_ handler: @escaping @Sendable (Connection) throws -> Void) {
    readSource.setEventHandler { [self] _ in
      do { try handler(self) } catch { try handlerFailed(error) }
    }
  }

  /// A handler that used a connection which it had closed itself has done no harm.
  func handlerFailed(_ error: any Error) throws {
    guard let error = error as? SocketError else {
      close(.failed(error))
      throw error
    }
    if case .closed = error, phase != .open { return }
    close(.failed(error))
  }

  private func concludeRead(_ result: Int) throws(SocketError) -> ReadOutcome {
    if result == 0 {
      // The end stays readable for ever (rule S5): left armed, it would fire for ever.
      hold(.endOfStream)
      if !options.allowsHalfOpen { closeAfterWriting() }
      return .endOfStream
    }
    if result == -Int(EAGAIN) { return .wouldBlock }
    let error = SocketError.system(.read, subject: description, errno: CInt(-result))
    close(.failed(error))
    throw error
  }
}
