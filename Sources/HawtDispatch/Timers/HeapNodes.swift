internal import CLinux
internal import Glibc

/// The places of an `IndexedHeap`: a block of memory that grows and shrinks where it stands.
///
/// All but a small one is the kernel's pages and not the allocator's, until the heap is empty. Pages move without being copied;
/// and an allocator that is asked for a kilobyte sorts all the small pieces that it was given back before: after 100,000
/// timers had fired, that took glibc 20 ms, for which those that were due waited.
struct HeapNodes: ~Copyable {
  struct Node {
    var key: HeapKey
    /// An element, owned.
    var element: UnsafeMutableRawPointer
  }

  private(set) var count = 0
  private var capacity = 0
  /// How many bytes of pages it has; 0 if it has none, and what it has is the allocator's.
  private var pages = 0
  /// Initialized up to `count`. Nobody else's; moved or freed only while no access is under way.
  private(set) var base = UnsafeMutablePointer<Node>.allocate(capacity: 0)

  /// The most places that are the allocator's.
  private static let few = 32
  private static let page = 4096

  deinit { release() }

  @inline(__always)
  mutating func append(_ node: Node) {
    if count == capacity { grow() }
    (base + count).initialize(to: node)
    count &+= 1
  }

  /// - Precondition: there is one.
  @inline(__always)
  mutating func removeLast() -> Node {
    count &-= 1
    return (base + count).move()
  }

  /// Gives back what has not been needed for long: one that stays as it is does not shrink and grow in turn. Amortized
  /// constant time.
  @inline(__always)
  mutating func giveBackRoom() {
    if count < capacity / 4, pages > 0 { shrink() }
  }

  @inline(never)
  private mutating func grow() {
    if capacity < HeapNodes.few {
      take(.allocate(capacity: max(4, 2 * capacity)), max(4, 2 * capacity), pages: 0)
    } else if pages == 0 {
      let mapped = mmap(nil, HeapNodes.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let mapped, mapped != MAP_FAILED else { failed(HeapNodes.page) }
      let places = HeapNodes.page / MemoryLayout<Node>.stride
      take(mapped.bindMemory(to: Node.self, capacity: places), places, pages: HeapNodes.page)
    } else {
      remap(2 * pages)
    }
  }

  @inline(never)
  private mutating func shrink() {
    if count > 0 {
      if pages > HeapNodes.page { remap(pages / 2) }
    } else {
      take(.allocate(capacity: 0), 0, pages: 0)
    }
  }

  /// Moves to another block.
  private mutating func take(_ new: UnsafeMutablePointer<Node>, _ places: Int, pages: Int) {
    new.moveInitialize(from: base, count: count)
    release()
    base = new
    capacity = places
    self.pages = pages
  }

  private mutating func remap(_ bytes: Int) {
    guard let moved = hawt_remap(base, pages, bytes) else { failed(bytes) }
    base = moved.assumingMemoryBound(to: Node.self)
    pages = bytes
    capacity = bytes / MemoryLayout<Node>.stride
  }

  private func release() {
    if pages > 0 { munmap(base, pages) } else { base.deallocate() }
  }

  /// As an allocation that fails ends the process everywhere else.
  private func failed(_ bytes: Int) -> Never {
    fatalError("the timers of a queue need \(bytes) bytes, which the system does not have: \(errorText(errno))")
  }
}

/// By what a heap is ordered.
struct HeapKey: Comparable {
  var time: Nanoseconds
  /// Decides among equal times: the number of the arming (rule T1).
  var order: UInt64
  /// As one number: no branch that the processor would have to guess.
  private var rank: UInt128 { UInt128(time) << 64 | UInt128(order) }
  @inline(__always)
  static func < (left: HeapKey, right: HeapKey) -> Bool { left.rank < right.rank }
}
