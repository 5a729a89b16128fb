/// An element of an `IndexedHeap`: it knows where it stands, so that it can be taken out of the middle.
protocol HeapElement: AnyObject {
  /// Its place in the heap, or -1. The heap's alone.
  var heapIndex: Int { get set }
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
    @inline(__always)
    static func < (left: Key, right: Key) -> Bool {
      left.time != right.time ? left.time < right.time : left.order < right.order
    }
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

  /// Adds an element, and keeps it alive. It is in no heap.
  mutating func insert(_ element: Element, _ key: Key) {
    nodes.append(Node(key: key, element: .passRetained(element)))
    siftUp(nodes.count - 1)
  }

  /// Takes an element out.
  mutating func remove(_ element: Element) {
    let index = element.heapIndex
    element.heapIndex = -1
    let last = nodes.removeLast()
    if index < nodes.count {
      nodes[index] = last
      last.element._withUnsafeGuaranteedRef { $0.heapIndex = index }
      if index > 0, last.key < nodes[(index - 1) / 4].key { siftUp(index) } else { siftDown(index) }
    }
    if nodes.capacity > 1024, nodes.count < nodes.capacity / 4 { nodes = Array(nodes) }
    // A heap that is empty may stay so for long; one that is used now and then keeps a few.
    if nodes.isEmpty, nodes.capacity > 64 { nodes = [] }
    Unmanaged.passUnretained(element).release()
  }

  /// Gives an element another key.
  mutating func update(_ element: Element, _ key: Key) {
    let index = element.heapIndex
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
        nodes[index].element._withUnsafeGuaranteedRef { $0.heapIndex = index }
        index = parent
      }
      nodes[index] = node
      node.element._withUnsafeGuaranteedRef { $0.heapIndex = index }
    }
  }

  private mutating func siftDown(_ start: Int) {
    nodes.withUnsafeMutableBufferPointer { nodes in
      var index = start
      let node = nodes[index]
      while true {
        let firstChild = index * 4 + 1
        guard firstChild < nodes.count else { break }
        var least = firstChild
        for child in (firstChild + 1)..<max(firstChild + 1, min(firstChild + 4, nodes.count))
        where nodes[child].key < nodes[least].key { least = child }
        guard nodes[least].key < node.key else { break }
        nodes[index] = nodes[least]
        nodes[index].element._withUnsafeGuaranteedRef { $0.heapIndex = index }
        index = least
      }
      nodes[index] = node
      node.element._withUnsafeGuaranteedRef { $0.heapIndex = index }
    }
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
