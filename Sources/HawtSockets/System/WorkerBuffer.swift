import Glibc

/// One buffer per thread, so that reading allocates nothing per event and an idle connection holds no buffer.
enum WorkerBuffer {
  /// As much as one read takes at most: fewer bytes cost more calls, more bytes let one connection hold the others up.
  static let size = 64 * 1024

  /// Room before the bytes for the mark that they are in use, which keeps them aligned.
  private static let headerSize = 16

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let result = pthread_key_create(&key) { $0?.deallocate() }
    precondition(result == 0, "HawtSockets: no thread-specific key is left (errno \(result))")
    return key
  }()

  /// Calls `body` with the thread's buffer. A handler that reads one connection while it handles the bytes of another
  /// gets a buffer of its own for that time.
  @inline(__always)
  static func with<Value>(
    _ body: (UnsafeMutableRawBufferPointer) throws -> Value
  ) rethrows -> Value {
    let block = pthread_getspecific(key) ?? make()
    guard !block.load(as: Bool.self) else { return try withSeparateBuffer(body) }
    block.storeBytes(of: true, as: Bool.self)
    defer { block.storeBytes(of: false, as: Bool.self) }
    return try body(UnsafeMutableRawBufferPointer(start: block + headerSize, count: size))
  }

  private static func make() -> UnsafeMutableRawPointer {
    let block = UnsafeMutableRawPointer.allocate(byteCount: headerSize + size, alignment: headerSize)
    block.storeBytes(of: false, as: Bool.self)
    pthread_setspecific(key, block)
    return block
  }

  private static func withSeparateBuffer<Value>(
    _ body: (UnsafeMutableRawBufferPointer) throws -> Value
  ) rethrows -> Value {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: headerSize)
    defer { buffer.deallocate() }
    return try body(buffer)
  }
}
