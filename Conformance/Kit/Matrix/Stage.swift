import Glibc
import Polling

/// Where a descriptor is brought into a state: it keeps what the state needs, and clears up when the cell was looked at.
///
/// Used by one thread, which is also the one that waits: some states are that thread's own (a pending signal, say).
final class Stage {
  private var kept: [Descriptor] = []
  private var cleanups: [() -> Void] = []

  deinit {
    for descriptor in kept { descriptor.close() }
    while let cleanup = cleanups.popLast() { cleanup() }
  }

  /// Keeps a descriptor open until the stage goes, unless the state closes it itself.
  @discardableResult
  func keep(_ descriptor: Descriptor) -> Descriptor {
    kept.append(descriptor)
    return descriptor
  }

  func keep(_ ends: Ends) -> Ends {
    keep(ends.near)
    keep(ends.far)
    return ends
  }

  /// Takes over a number that a system call returned.
  func keep(_ code: CInt, _ what: String) throws -> Descriptor {
    let number = try granted(code, what)
    makeTame(number)
    return keep(Descriptor(number))
  }

  /// An empty directory of this row's own, where the system keeps what is temporary; whoever asks for it empties it.
  func temporaryDirectory() throws -> String {
    let parent = getenv("TMPDIR").map { String(cString: $0) } ?? P_tmpdir
    var template = Array("\(parent)/hawt-conformance-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CheckFailure("no directory in \(parent): errno \(errno)") }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    atEnd { rmdir(directory) }
    return directory
  }

  /// Has `cleanup` run when the stage goes, after its descriptors were closed.
  func atEnd(_ cleanup: @escaping () -> Void) { cleanups.append(cleanup) }

  // MARK: Ends

  func ends(_ kind: Ends.Kind) throws -> Ends { keep(try Ends(kind)) }
  func pipe() throws -> Ends { keep(try Ends.pipe()) }
  func pair(_ type: SocketType) throws -> Ends { keep(try Ends.unixPair(type)) }

  /// Writes until the system takes no more, and goes on when it has thought again: bytes that the peer's side takes over
  /// make room once more.
  func fill(_ descriptor: Descriptor) {
    var entry = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
    repeat { descriptor.fill() } while poll(&entry, 1, 1) > 0 && entry.revents == Int16(POLLOUT)
  }

  /// Waits until `poll(2)` says of a descriptor what is expected: bytes, ends and errors may be on their way to it.
  ///
  /// What comes then is the backend's answer: nothing fails here.
  func awaitReadiness(_ wanted: Interest, of number: CInt) {
    var entry = pollfd(fd: number, events: Int16(POLLIN | POLLOUT), revents: 0)
    let start = Moment.now
    while start.elapsed < .seconds(2) {
      _ = poll(&entry, 1, 0)
      let seen = CInt(entry.revents)
      var readiness: Interest = seen & (POLLERR | POLLHUP) != 0 ? [.read, .write] : []
      if seen & POLLIN != 0 { readiness.insert(.read) }
      if seen & POLLOUT != 0 { readiness.insert(.write) }
      if readiness == wanted { return }
      _ = poll(nil, 0, 1)
    }
  }
}
