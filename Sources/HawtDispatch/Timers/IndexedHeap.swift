internal import CLinux

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
struct IndexedHeap<Element: HeapElement>: ~Copyable {
  typealias Key = HeapKey
  private typealias Node = HeapNodes.Node

  private var nodes = HeapNodes()

  var count: Int { nodes.count }
  var isEmpty: Bool { nodes.count == 0 }

  /// The least key.
  var first: (key: Key, element: Element)? {
    isEmpty ? nil : (nodes.base[0].key, IndexedHeap.element(of: nodes.base[0]).takeUnretainedValue())
  }

  /// The time of the least key.
  @inline(__always)
  var firstTime: Nanoseconds? { isEmpty ? nil : nodes.base[0].key.time }

  /// Adds an element, and keeps it alive. It is in no heap.
  @inline(__always)
  mutating func insert(_ element: Element, _ key: Key) { insert(owning: .passRetained(element), key) }

  /// Adds an element, and takes over a reference to it. It is in no heap.
  mutating func insert(owning element: Unmanaged<Element>, _ key: Key) {
    nodes.append(Node(key: key, element: element.toOpaque()))
    siftUp(nodes.count &- 1)
  }

  /// Whether the element, which is in some heap, is in this one.
  func holds(_ element: Element) -> Bool {
    let index = Int(element.heapIndex)
    return index < nodes.count && nodes.base[index].element == Unmanaged.passUnretained(element).toOpaque()
  }

  /// Takes an element out.
  mutating func remove(_ element: Element) { takeOut(Int(element.heapIndex)).release() }

  /// Takes the element with the least key out, and hands over the reference to it; there must be one.
  mutating func takeFirst() -> Unmanaged<Element> { takeOut(0) }

  /// Takes the element in the last place out, which moves no other, and hands over the reference to it; nil if there is none.
  /// Amortized constant time.
  mutating func takeLast() -> (key: Key, element: Unmanaged<Element>)? {
    guard !isEmpty else { return nil }
    let last = nodes.removeLast()
    IndexedHeap.tell(last, -1)
    nodes.giveBackRoom()
    return (last.key, IndexedHeap.element(of: last))
  }

  /// Fetches the last elements into the cache, all at once, for who is going to look at them one after the other.
  func prefetchLast(_ places: Int) {
    for index in max(0, nodes.count - places)..<nodes.count { hawt_prefetch(nodes.base[index].element) }
  }

  private mutating func takeOut(_ index: Int) -> Unmanaged<Element> {
    let out = nodes.base[index]
    IndexedHeap.tell(out, -1)
    let last = nodes.removeLast()
    if index < nodes.count {
      // The last one mostly belongs far down: so the gap goes to the bottom, which needs no comparison with it, and it rises
      // from there.
      let gap = sinkGap(index)
      nodes.base[gap] = last
      siftUp(gap)
    }
    nodes.giveBackRoom()
    return IndexedHeap.element(of: out)
  }

  /// Gives an element another key.
  mutating func update(_ element: Element, _ key: Key) {
    let index = Int(element.heapIndex)
    let rises = key < nodes.base[index].key
    nodes.base[index].key = key
    if rises { siftUp(index) } else { siftDown(index) }
  }

  private func siftUp(_ start: Int) {
    let nodes = nodes.base
    var index = start
    let node = nodes[index]
    while index > 0 {
      let parent = (index &- 1) / 4
      guard node.key < nodes[parent].key else { break }
      nodes[index] = nodes[parent]
      IndexedHeap.tell(nodes[index], index)
      index = parent
    }
    nodes[index] = node
    IndexedHeap.tell(node, index)
  }

  private func siftDown(_ start: Int) {
    let nodes = nodes.base
    var index = start
    let node = nodes[index]
    while let least = leastChild(of: index), nodes[least].key < node.key {
      nodes[index] = nodes[least]
      IndexedHeap.tell(nodes[index], index)
      index = least
    }
    nodes[index] = node
    IndexedHeap.tell(node, index)
  }

  /// Moves a gap down to a place that has no children.
  private func sinkGap(_ start: Int) -> Int {
    let nodes = nodes.base
    var index = start
    while let least = leastChild(of: index) {
      nodes[index] = nodes[least]
      IndexedHeap.tell(nodes[index], index)
      index = least
    }
    return index
  }

  @inline(__always)
  private static func element(of node: Node) -> Unmanaged<Element> { .fromOpaque(node.element) }

  @inline(__always)
  private static func tell(_ node: Node, _ index: Int) {
    element(of: node)._withUnsafeGuaranteedRef { $0.heapIndex = Int32(truncatingIfNeeded: index) }
  }

  @inline(__always)
  private func leastChild(of index: Int) -> Int? {
    let (nodes, count) = (nodes.base, nodes.count)
    let first = index &* 4 &+ 1
    guard first &+ 3 < count else {
      guard first < count else { return nil }
      var least = first
      for child in (first + 1)..<count where nodes[child].key < nodes[least].key { least = child }
      return least
    }
    let left = nodes[first &+ 1].key < nodes[first].key ? first &+ 1 : first
    let right = nodes[first &+ 3].key < nodes[first &+ 2].key ? first &+ 3 : first &+ 2
    return nodes[right].key < nodes[left].key ? right : left
  }

  /// Takes everything out.
  mutating func removeAll(_ body: (Element) -> Void) {
    while let (_, element) = takeLast() { body(element.takeRetainedValue()) }
  }
}
