/// An element of a `LeewayHeap`.
protocol LeewayElement: HeapElement {
  /// Its place by its latest time; made when it first has leeway.
  var leewayMark: LeewayMark? { get set }
}

/// Where an element that has leeway stands by its latest time.
final class LeewayMark: HeapElement {
  var heapIndex: Int32 = -1
}

/// Elements by the time at which they are due, which also tells by when the first of them must be served, if some may be
/// late: the union of an ordinary heap, for those that may not, and of two, by either time, for those that may.
///
/// Without leeway it costs what one heap does; with it, twice that. True removal, as `IndexedHeap`.
struct LeewayHeap<Element: LeewayElement>: ~Copyable {
  typealias Key = HeapKey

  private var exact = IndexedHeap<Element>()
  private var lax = IndexedHeap<Element>()
  private var marks = IndexedHeap<LeewayMark>()

  var isEmpty: Bool { exact.isEmpty && lax.isEmpty }
  var count: Int { exact.count + lax.count }

  /// The element that is due first.
  var first: (key: Key, element: Element)? {
    guard let late = lax.first else { return exact.first }
    guard let strict = exact.first, strict.key < late.key else { return late }
    return strict
  }

  /// When the first is due, and by when the first must be served.
  var earliest: TimerPoint? {
    guard let strict = exact.firstTime ?? lax.firstTime else { return nil }
    let due = min(strict, lax.firstTime ?? .max)
    return TimerPoint(due: due, latest: min(exact.firstTime ?? .max, marks.firstTime ?? .max))
  }

  /// Takes out the element that is due first, if it is by `now`, and hands over the reference to it.
  mutating func takeFirst(until now: Nanoseconds) -> Unmanaged<Element>? {
    guard lax.isEmpty else { return takeFirstOfBoth(until: now) }
    guard let time = exact.firstTime, time <= now else { return nil }
    return exact.takeFirst()
  }

  @inline(never)
  private mutating func takeFirstOfBoth(until now: Nanoseconds) -> Unmanaged<Element>? {
    guard let (key, element) = first, key.time <= now else { return nil }
    remove(element)
    return .passRetained(element)
  }

  /// Adds an element that is due at the key's time and must be served at `latest`, not before it.
  mutating func insert(_ element: Element, _ key: Key, latest: Nanoseconds) {
    guard latest > key.time else { return exact.insert(element, key) }
    let mark = element.leewayMark ?? LeewayMark()
    element.leewayMark = mark
    lax.insert(element, key)
    marks.insert(mark, .init(time: latest, order: key.order))
  }

  /// Takes an element out.
  mutating func remove(_ element: Element) {
    guard let mark = mark(of: element) else { return exact.remove(element) }
    marks.remove(mark)
    lax.remove(element)
  }

  /// Gives an element other times.
  mutating func update(_ element: Element, _ key: Key, latest: Nanoseconds) {
    switch (mark(of: element), latest > key.time) {
    case (nil, false): exact.update(element, key)
    case (let mark?, true):
      lax.update(element, key)
      marks.update(mark, .init(time: latest, order: key.order))
    default:
      // The heap that it is in may hold the last reference.
      withExtendedLifetime(element) {
        remove(element)
        insert(element, key, latest: latest)
      }
    }
  }

  /// The element's mark if it stands among those with leeway.
  private func mark(of element: Element) -> LeewayMark? {
    guard let mark = element.leewayMark, mark.heapIndex >= 0 else { return nil }
    return mark
  }

  /// Whether the first of the elements without leeway answers true.
  func isFirstExact(_ body: (Element) -> Bool) -> Bool { exact.first.map { body($0.element) } ?? false }

  /// Takes out the first of the elements without leeway as long as they answer true.
  /// - Returns: how many.
  mutating func dropFirst(atMost limit: Int, while body: (Element) -> Bool) -> Int {
    var dropped = 0
    while dropped < limit, let (_, element) = exact.first, body(element) {
      exact.takeFirst().release()
      dropped += 1
    }
    return dropped
  }

  /// Gives away all elements without leeway, for what `other` has.
  mutating func exchangeExact(_ other: inout IndexedHeap<Element>) { swap(&exact, &other) }

  /// Adds an element without leeway, and takes over a reference to it.
  mutating func insertExact(owning element: Unmanaged<Element>, _ key: Key) { exact.insert(owning: element, key) }

  /// Takes everything out.
  mutating func removeAll(_ body: (Element) -> Void) {
    marks.removeAll { _ in }
    exact.removeAll(body)
    lax.removeAll(body)
  }
}
