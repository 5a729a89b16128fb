import Synchronization
import Testing

@testable import HawtDispatch

private final class Item: ArmedTimer {
  let number: Int
  var wasCancelled = false
  private var mark: LeewayMark?
  override var leewayMark: LeewayMark? {
    get { mark }
    set { mark = newValue }
  }
  init(_ number: Int) { self.number = number }
  override var isCancelled: Bool { wasCancelled }
}

/// A generator whose seed is printed with a failure.
private struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}

@Suite struct ArmedTimersTests {
  private typealias Expected = (time: UInt64, order: UInt64, latest: UInt64, item: Item)

  @Test(arguments: [UInt64.random(in: 0 ... .max), 1, 2])
  func givesThemInOrderWhateverIsCancelledAndSwept(seed: UInt64) {
    var random = Random(state: seed)
    var timers = ArmedTimers()
    var model: [Expected] = []
    var cancelled = 0
    for step in 0..<20_000 {
      // More come than go for a while, then more go.
      switch Int.random(in: step % 4_000 < 2_000 ? 0..<10 : 5..<12, using: &random) {
      case 0..<6:
        let again = Int.random(in: 0..<4, using: &random) == 0 ? model.indices.randomElement(using: &random) : nil
        let item = again.map { model.remove(at: $0).item } ?? Item(step)
        let time = UInt64.random(in: 1..<1_000, using: &random)
        let latest = time + (step.isMultiple(of: 5) ? UInt64.random(in: 0..<100, using: &random) : 0)
        timers.place(item, .init(time: time, order: UInt64(step)), latest: latest)
        model.append((time, UInt64(step), latest, item))
      case 6..<8:
        // In its place, as the group does with those that have no leeway.
        let isExact: (Int) -> Bool = { model[$0].item.leewayMark == nil }
        guard let index = model.indices.randomElement(using: &random), isExact(index) else { continue }
        model.remove(at: index).item.wasCancelled = true
        cancelled += 1
      case 8:
        guard let index = model.indices.randomElement(using: &random) else { continue }
        let item = model.remove(at: index).item
        timers.remove(item)
        #expect(item.heapIndex < 0, "seed \(seed), step \(step)")
      case 9: cancelled -= timers.sweep(Int.random(in: 0..<50, using: &random))
      default:
        while timers.isFirstCancelled { cancelled -= timers.dropCancelledFirst(atMost: 3) }
        let least = model.min { ($0.time, $0.order) < ($1.time, $1.order) }
        let point = timers.earliest
        #expect(point?.due == least?.time, "seed \(seed), step \(step)")
        #expect(point?.latest == model.map(\.latest).min(), "seed \(seed), step \(step)")
        guard let least else { continue }
        let early = timers.takeFirst(until: least.time - 1)
        #expect(early == nil, "seed \(seed), step \(step)")
        let taken = timers.takeFirst(until: least.time)?.takeRetainedValue()
        #expect(taken === least.item && taken?.heapIndex == -1, "seed \(seed), step \(step)")
        model.removeAll { $0.item === least.item }
      }
      let count = timers.count
      #expect(count == model.count + cancelled, "seed \(seed), step \(step)")
    }
    // Once for what is unswept, once for the others.
    cancelled -= timers.sweep(.max)
    cancelled -= timers.sweep(.max)
    let count = timers.count
    #expect(cancelled == 0 && count == model.count, "seed \(seed)")
    timers.removeAll { item in model.removeAll { $0.item === item } }
    let isEmpty = timers.isEmpty
    #expect(isEmpty && model.isEmpty, "seed \(seed)")
  }
}

@Suite struct CancelledTimersTests {
  /// Whoever cancels many keeps memory for two or three times as many as stay.
  @Test(arguments: [UInt64.random(in: 0 ... .max), 1, 2])
  func fewStayBesideThoseThatAreArmed(seed: UInt64) throws {
    var random = Random(state: seed)
    let dispatcher = try Dispatcher(configuration: .init(name: "cancelled", workers: 1))
    defer { dispatcher.shutdownAndWait() }
    let queue = dispatcher.makeSerialQueue(label: "timers")
    let group = queue.core.timers(.continuous)
    var handles = (0..<5_000).map { number in queue.asyncAfter(.seconds(3_000 + number % 17)) {} }
    handles.shuffle(using: &random)
    var armed = handles.count
    for handle in handles {
      #expect(handle.cancel(), "seed \(seed)")
      armed -= 1
      #expect(group.count.load(ordering: .relaxed) <= armed * 4 + 64, "seed \(seed), \(armed) armed")
    }
    #expect(group.count.load(ordering: .relaxed) == 0, "seed \(seed)")
  }

  /// The ones that stay fall due first, so that nobody cancels any more when only cancelled ones are left.
  @Test func theOnesThatFallDueSweepToo() throws {
    let dispatcher = try Dispatcher(configuration: .init(name: "cancelled", workers: 1))
    defer { dispatcher.shutdownAndWait() }
    let queue = dispatcher.makeSerialQueue(label: "timers")
    let group = queue.core.timers(.continuous)
    let fired = Atomic<Int>(0)
    let all = Waiter()
    let late = (0..<1_000).map { _ in queue.asyncAfter(.seconds(3_000)) {} }
    for number in 0..<1_100 {
      queue.asyncAfter(.microseconds(number * 10)) {
        if fired.wrappingAdd(1, ordering: .relaxed).newValue == 1_100 { all.signal() }
      }
    }
    for handle in late { #expect(handle.cancel()) }
    all.wait()
    // After what the worker had in hand.
    try queue.sync {}
    #expect(group.count.load(ordering: .relaxed) == 0)
  }

  /// Too few are cancelled for a sweep, but they stand before all others: the worker drops them, a few in a round.
  @Test func aLongPrefixGoesByItself() throws {
    let dispatcher = try Dispatcher(configuration: .init(name: "cancelled", workers: 1))
    defer { dispatcher.shutdownAndWait() }
    let queue = dispatcher.makeSerialQueue(label: "timers")
    let group = queue.core.timers(.continuous)
    for _ in 0..<5_000 { queue.asyncAfter(.seconds(3_000)) {} }
    let prefix = (0..<9_000).map { _ in queue.asyncAfter(.seconds(1_000)) {} }
    for handle in prefix { #expect(handle.cancel()) }
    #expect(group.count.load(ordering: .relaxed) == 14_000)
    let gone = Waiter()
    queue.asyncAfter(.milliseconds(1)) { [look = Look(group, dispatcher.global(), gone)] in look.again() }
    gone.wait()
    #expect(group.count.load(ordering: .relaxed) == 5_000)
  }
}

/// Looks now and then whether a group has no more than 5,000 timers.
private final class Look: Sendable {
  private let group: TimerGroup
  private let queue: GlobalQueue
  private let gone: Waiter

  init(_ group: TimerGroup, _ queue: GlobalQueue, _ gone: Waiter) {
    self.group = group
    self.queue = queue
    self.gone = gone
  }

  func again() {
    if group.count.load(ordering: .relaxed) <= 5_000 { return gone.signal() }
    queue.async { self.again() }
  }
}
