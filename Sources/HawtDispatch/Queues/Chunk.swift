internal import Synchronization

/// A block of slots in a `ChunkList`: a link, and the slots.
///
/// Raw memory, because its words are reached by several threads at once and must stay where they are. Whoever holds a
/// reserved, unconsumed slot keeps the chunk alive; the consumer frees it when all slots are consumed and the tail has
/// left it, so no access is to freed memory (proof at `ChunkList`).
struct Chunk {
  static let capacity = 32
  private static let headerBytes = 8
  private static let slotBytes = 24
  private static let bytes = headerBytes + capacity * slotBytes

  let address: UnsafeMutableRawPointer

  @inline(__always)
  init(address: UnsafeMutableRawPointer) { self.address = address }

  @inline(__always)
  init?(bits: UInt) {
    guard let pointer = UnsafeMutableRawPointer(bitPattern: bits) else { return nil }
    address = pointer
  }

  /// A chunk with every tag empty.
  static func allocate() -> Chunk {
    let address = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 8)
    address.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    return Chunk(address: address)
  }

  func deallocate() { address.deallocate() }

  @inline(__always) var bits: UInt { UInt(bitPattern: address) }

  /// The chunk that follows, as bits; 0 until it is installed.
  @inline(__always)
  var next: UnsafeMutablePointer<Atomic<UInt>> { address.assumingMemoryBound(to: Atomic<UInt>.self) }

  /// A slot's tag, which publishes the two words behind it.
  @inline(__always)
  func tag(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt>> {
    (address + Chunk.headerBytes + index &* Chunk.slotBytes).assumingMemoryBound(to: Atomic<UInt>.self)
  }

  /// Writes the words of a slot that the caller has reserved, before its tag.
  @inline(__always)
  func write(_ entry: borrowing Entry, at index: Int) {
    let slot = address + Chunk.headerBytes + index &* Chunk.slotBytes
    slot.storeBytes(of: entry.first, toByteOffset: 8, as: UInt.self)
    slot.storeBytes(of: entry.second, toByteOffset: 16, as: UInt.self)
  }

  /// Reads the words of a slot whose tag was read with acquire ordering.
  @inline(__always)
  func read(_ index: Int, tag: UInt) -> Entry {
    let slot = address + Chunk.headerBytes + index &* Chunk.slotBytes
    return Entry(
      tag: tag, first: slot.load(fromByteOffset: 8, as: UInt.self),
      second: slot.load(fromByteOffset: 16, as: UInt.self))
  }
}

/// The spare chunks of the process, for threads that are no workers: what such a thread fills, a worker empties, so the
/// workers' overflow is what it needs. Any thread. Bounded, so that a burst gives its memory back.
///
/// A slot is taken and filled by one exchange of its word, so a chunk in it has one owner at any time; nothing waits.
struct SharedChunks: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: atomics, behind a pointer that is constant and never freed, as there is one table.
  static let all = SharedChunks()
  private static let slots = 32

  private let words: UnsafeMutablePointer<Atomic<UInt>>
  /// How many slots are full, to pass over an empty table; may be off for a moment.
  private let count = Atomic<Int>(0)

  private init() {
    words = .allocate(capacity: SharedChunks.slots)
    for slot in 0..<SharedChunks.slots { (words + slot).initialize(to: Atomic(0)) }
  }

  /// A chunk with every tag empty, from the spare ones if there is one.
  func take() -> Chunk {
    guard count.load(ordering: .relaxed) > 0 else { return Chunk.allocate() }
    for slot in 0..<SharedChunks.slots where words[slot].load(ordering: .relaxed) != 0 {
      // Acquires the chunk as its last owner left it.
      if let chunk = Chunk(bits: words[slot].exchange(0, ordering: .acquiring)) {
        count.wrappingSubtract(1, ordering: .relaxed)
        return chunk
      }
    }
    return Chunk.allocate()
  }

  /// - Precondition: every tag of the chunk is empty again, its link is null, and nobody else knows it.
  func give(_ chunk: Chunk) {
    if count.load(ordering: .relaxed) < SharedChunks.slots {
      for slot in 0..<SharedChunks.slots where words[slot].load(ordering: .relaxed) == 0 {
        // Releases the chunk to who takes it.
        let (done, _) = words[slot].compareExchange(expected: 0, desired: chunk.bits, ordering: .releasing)
        guard done else { continue }
        count.wrappingAdd(1, ordering: .relaxed)
        return
      }
    }
    chunk.deallocate()
  }
}

/// A worker's few spare chunks, so that queues which fall idle and fill again do not allocate. One thread: its
/// worker's. Bounded; what is too much goes to the shared ones.
struct ChunkCache: ~Copyable {
  private static let limit = 24
  private var spare: UInt = 0
  private var count = 0

  /// A chunk with every tag empty, from the spare ones if there is one.
  mutating func take() -> Chunk {
    guard let chunk = Chunk(bits: spare) else { return SharedChunks.all.take() }
    spare = chunk.next.pointee.load(ordering: .relaxed)
    chunk.next.pointee.store(0, ordering: .relaxed)
    count -= 1
    return chunk
  }

  /// - Precondition: every tag of the chunk is empty again, its link is null, and nobody else knows it.
  mutating func give(_ chunk: Chunk) {
    guard count < ChunkCache.limit else { return SharedChunks.all.give(chunk) }
    chunk.next.pointee.store(spare, ordering: .relaxed)
    spare = chunk.bits
    count += 1
  }

  deinit {
    var bits = spare
    while let chunk = Chunk(bits: bits) {
      bits = chunk.next.pointee.load(ordering: .relaxed)
      chunk.deallocate()
    }
  }
}
