/// Bytes that wait to be written, in order and in one piece, so that one system call can take as many as it likes.
///
/// Holds no memory while it is empty: most connections never have a partial write. Appending is O(1) amortized in the
/// bytes appended, consuming is O(1).
struct PendingBytes: ~Copyable {
  private var start: UnsafeMutableRawPointer?
  private var capacity = 0
  private var head = 0
  private var end = 0

  init() {}

  deinit { start?.deallocate() }

  var count: Int { end - head }
  var isEmpty: Bool { end == head }

  /// What waits; valid until the next change.
  var bytes: UnsafeRawBufferPointer {
    guard let start else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: start + head, count: count)
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    if end + bytes.count > capacity { makeRoom(for: bytes.count) }
    (start! + end).copyMemory(from: source, byteCount: bytes.count)
    end += bytes.count
  }

  /// Takes `written` bytes off the front.
  mutating func consume(_ written: Int) {
    precondition(written >= 0 && written <= count, "wrote \(written) bytes of \(count) that were pending")
    head += written
    if head == end { removeAll() }
  }

  mutating func removeAll() {
    start?.deallocate()
    start = nil
    capacity = 0
    head = 0
    end = 0
  }

  /// Moving within the block pays only if at least half of it is free already; else each append could move everything.
  private mutating func makeRoom(for extra: Int) {
    let waiting = count
    if let start, waiting + extra <= capacity, waiting <= capacity / 2 {
      start.copyMemory(from: start + head, byteCount: waiting)
    } else {
      let larger = max(waiting + extra, capacity * 2, 4096)
      let block = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
      if let start {
        block.copyMemory(from: start + head, byteCount: waiting)
        start.deallocate()
      }
      start = block
      capacity = larger
    }
    head = 0
    end = waiting
  }
}
