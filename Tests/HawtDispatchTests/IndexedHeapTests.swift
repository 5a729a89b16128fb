import Testing

@testable import HawtDispatch

private final class Item: HeapElement {
  var heapIndex: Int32 = -1
  let number: Int
  init(_ number: Int) { self.number = number }
}

@Suite struct IndexedHeapTests {
  /// A generator whose seed is printed with a failure.
  private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ (state >> 29)
    }
  }

  @Test(arguments: [UInt64.random(in: 0 ... .max), 1, 2])
  func givesTheLeastWhateverWasInsertedMovedAndRemoved(seed: UInt64) {
    var random = Random(state: seed)
    var heap = IndexedHeap<Item>()
    var model: [(time: UInt64, order: UInt64, item: Item)] = []
    for step in 0..<5000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let item = Item(step)
        let time = UInt64.random(in: 0..<100, using: &random)
        heap.insert(item, .init(time: time, order: UInt64(step)))
        model.append((time, UInt64(step), item))
      case 5..<7 where !model.isEmpty:
        let index = Int.random(in: 0..<model.count, using: &random)
        heap.remove(model.remove(at: index).item)
      case 7..<8 where !model.isEmpty:
        let index = Int.random(in: 0..<model.count, using: &random)
        model[index].time = UInt64.random(in: 0..<100, using: &random)
        model[index].order = UInt64(step)
        heap.update(model[index].item, .init(time: model[index].time, order: model[index].order))
      default:
        guard let least = model.min(by: { ($0.time, $0.order) < ($1.time, $1.order) }) else { continue }
        let (first, time) = (heap.first?.element.number, heap.firstTime)
        #expect(first == least.item.number && time == least.time, "seed \(seed), step \(step)")
        guard step.isMultiple(of: 2) else { continue }
        let taken = heap.takeFirst().takeRetainedValue()
        #expect(taken === least.item && taken.heapIndex < 0, "seed \(seed), step \(step)")
        model.removeAll { $0.item === taken }
      }
      let count = heap.count
      #expect(count == model.count, "seed \(seed), step \(step)")
    }
    heap.removeAll { item in model.removeAll { $0.item === item } }
    let isEmpty = heap.isEmpty
    #expect(isEmpty && model.isEmpty, "seed \(seed)")
  }
}
