/// An element of an `IndexedHeap`: it knows where it stands, so that it can be taken out of the middle.
protocol HeapElement: AnyObject {
  /// Its place in the heap, or -1. The heap's alone.
  var heapIndex: Int32 { get set }
}

/// A four-ary minimum heap of keyed elements with true removal.
///
/// Insertion takes constant time on average and logarithmic at worst, removal logarithmic. The keys stand beside the
/// elements, so that sifting touches an element only to tell it its new place; four children share a cache line or two.
/// Memory is given back as the heap shrinks.
struct IndexedHeap<Element: HeapElement> {
  struct Key: Comparable {
    var time: Nanoseconds
    /// Decides among equal times: the number of the arming (rule T1).
    var order: UInt64
    /// As one number: no branch that the processor would have to guess.
    private var rank: UInt128 { UInt128(time) << 64 | UInt128(order) }
    @inline(__always)
    static func < (left: Key, right: Key) -> Bool { left.rank < right.rank }
  }

  private struct Node {
    var key: Key
    var element: Unmanaged<Element>
  }

  private var nodes: [Node] = []

  var count: Int { nodes.count }
  var isEmpty: Bool { nodes.isEmpty }

  /// The least key.
  var first: (key: Key, element: Element)? {
    nodes.first.map { ($0.key, $0.element.takeUnretainedValue()) }
  }

  /// The time of the least key.
  @inline(__always)
  var firstTime: Nanoseconds? { nodes.isEmpty ? nil : nodes[0].key.time }

  /// Adds an element, and keeps it alive. It is in no heap.
  mutating func insert(_ element: Element, _ key: Key) {
    nodes.append(Node(key: key, element: .passRetained(element)))
    siftUp(nodes.count - 1)
  }

  /// Takes an element out.
  mutating func remove(_ element: Element) { takeOut(Int(element.heapIndex)).release() }

  /// Takes the element with the least key out, and hands over the reference to it; there must be one.
  mutating func takeFirst() -> Unmanaged<Element> { takeOut(0) }

  private mutating func takeOut(_ index: Int) -> Unmanaged<Element> {
    let element = nodes[index].element
    element._withUnsafeGuaranteedRef { $0.heapIndex = -1 }
    let last = nodes.removeLast()
    if index < nodes.count {
      // The last one mostly belongs far down: so the gap goes to the bottom, which needs no comparison with it, and it rises
      // from there.
      let gap = sinkGap(index)
      nodes[gap] = last
      siftUp(gap)
    }
    if nodes.capacity > 1024, nodes.count < nodes.capacity / 4 { shrink() }
    // A heap that is empty may stay so for long; one that is used now and then keeps a few.
    if nodes.isEmpty, nodes.capacity > 64 { nodes = [] }
    return element
  }

  /// With room for as many again, so that one that stays as it is does not shrink and grow in turn. O(elements left), once
  /// in as many removals.
  private mutating func shrink() {
    var fewer: [Node] = []
    fewer.reserveCapacity(2 * nodes.count)
    fewer += nodes
    nodes = fewer
  }

  /// Gives an element another key.
  mutating func update(_ element: Element, _ key: Key) {
    let index = Int(element.heapIndex)
    let rises = key < nodes[index].key
    nodes[index].key = key
    if rises { siftUp(index) } else { siftDown(index) }
  }

  private mutating func siftUp(_ start: Int) {
    nodes.withUnsafeMutableBufferPointer { nodes in
      var index = start
      let node = nodes[index]
      while index > 0 {
        let parent = (index - 1) / 4
        guard node.key < nodes[parent].key else { break }
        nodes[index] = nodes[parent]
        IndexedHeap.tell(nodes[index], index)
        index = parent
      }
      nodes[index] = node
      IndexedHeap.tell(node, index)
    }
  }

  private mutating func siftDown(_ start: Int) {
    nodes.withUnsafeMutableBufferPointer { nodes in
      var index = start
      let node = nodes[index]
      while true {
        guard let least = IndexedHeap.leastChild(of: index, in: nodes) else { break }
        guard nodes[least].key < node.key else { break }
        nodes[index] = nodes[least]
        IndexedHeap.tell(nodes[index], index)
        index = least
      }
      nodes[index] = node
      IndexedHeap.tell(node, index)
    }
  }

  /// Moves a gap down to a place that has no children.
  private mutating func sinkGap(_ start: Int) -> Int {
    nodes.withUnsafeMutableBufferPointer { nodes in
      var index = start
      while let least = IndexedHeap.leastChild(of: index, in: nodes) {
        nodes[index] = nodes[least]
        IndexedHeap.tell(nodes[index], index)
        index = least
      }
      return index
    }
  }

  @inline(__always)
  private static func tell(_ node: Node, _ index: Int) {
    node.element._withUnsafeGuaranteedRef { $0.heapIndex = Int32(truncatingIfNeeded: index) }
  }

  @inline(__always)
  private static func leastChild(of index: Int, in nodes: UnsafeMutableBufferPointer<Node>) -> Int? {
    let first = index &* 4 &+ 1
    guard first &+ 3 < nodes.count else {
      guard first < nodes.count else { return nil }
      var least = first
      for child in (first + 1)..<nodes.count where nodes[child].key < nodes[least].key { least = child }
      return least
    }
    let left = nodes[first &+ 1].key < nodes[first].key ? first &+ 1 : first
    let right = nodes[first &+ 3].key < nodes[first &+ 2].key ? first &+ 3 : first &+ 2
    return nodes[right].key < nodes[left].key ? right : left
  }

  /// Takes everything out.
  mutating func removeAll(_ body: (Element) -> Void) {
    let old = nodes
    nodes = []
    for node in old {
      let element = node.element.takeRetainedValue()
      element.heapIndex = -1
      body(element)
    }
  }
}
