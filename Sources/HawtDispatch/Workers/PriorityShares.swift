internal import Synchronization

/// How much of the workers' time each priority has had, so that saturated workers share it as `PriorityWeights`
/// says (rule Q9).
///
/// Weighted nanoseconds of processor time, counted while more than one priority has work; not of time as it passes, as what
/// the system gives to other processes is nobody's share. Over all workers, as one may have only some of the priorities at
/// hand: the others make up for it. A priority that had no work has no claim to what it did not use, but for a short
/// burst; one that has work keeps its claim, however long a turn of another was, so each progresses. The numbers wrap, and
/// are compared by their differences. Relaxed operations: they order nothing.
final class PriorityShares: Sendable {
  private let high = Atomic<UInt64>(0)
  private let normal = Atomic<UInt64>(0)
  private let low = Atomic<UInt64>(0)
  /// What a nanosecond costs each priority, in 1/256 of what it costs the one that has the greatest weight.
  private let costs: (high: UInt64, normal: UInt64, low: UInt64)
  /// How far a priority that had no work may be behind, in weighted nanoseconds: a quarter of a millisecond of the
  /// lightest, ten times.
  private let credit: UInt64

  init(_ weights: PriorityWeights) {
    let greatest = max(weights.high, weights.default, weights.low) * 256
    costs = (UInt64(greatest / weights.high), UInt64(greatest / weights.default), UInt64(greatest / weights.low))
    credit = 2_500_000 * max(costs.high, costs.normal, costs.low) >> 8
  }

  /// Which priorities have work, by level, as one worker sees it.
  struct Waiting {
    let high: Bool
    let normal: Bool
    let low: Bool
  }

  /// Of the priorities that have work, the one that has had the least of its share; nil if none has work.
  ///
  /// - Returns: the priority, and whether another one has work too: then what it gets is to be charged.
  @inline(__always)
  func choose(_ waiting: Waiting) -> (level: Int, isContended: Bool)? {
    if waiting.normal, !waiting.high, !waiting.low { return (1, false) }
    guard waiting.high || waiting.normal || waiting.low else { return nil }
    if !waiting.normal, waiting.high != waiting.low { return (waiting.high ? 0 : 2, false) }
    return (leastUsed(waiting), true)
  }

  @inline(never)
  private func leastUsed(_ waiting: Waiting) -> Int {
    var best = -1
    var least: UInt64 = 0
    func consider(_ level: Int, _ use: UInt64) {
      if best < 0 || PriorityShares.isLess(use, least) { (best, least) = (level, use) }
    }
    if waiting.high { consider(0, high.load(ordering: .relaxed)) }
    if waiting.normal { consider(1, normal.load(ordering: .relaxed)) }
    if waiting.low { consider(2, low.load(ordering: .relaxed)) }
    return best
  }

  /// A priority has had some time, while those in `waiting` had work.
  func charge(_ level: Int, _ elapsed: Nanoseconds, _ waiting: Waiting) {
    let use =
      switch level {
      case 0: high.wrappingAdd((elapsed &* costs.high) >> 8, ordering: .relaxed).newValue
      case 1: normal.wrappingAdd((elapsed &* costs.normal) >> 8, ordering: .relaxed).newValue
      default: low.wrappingAdd((elapsed &* costs.low) >> 8, ordering: .relaxed).newValue
      }
    let floor = use &- credit
    if !waiting.high { PriorityShares.raise(high, to: floor) }
    if !waiting.normal { PriorityShares.raise(normal, to: floor) }
    if !waiting.low { PriorityShares.raise(low, to: floor) }
  }

  private static func raise(_ use: borrowing Atomic<UInt64>, to floor: UInt64) {
    if isLess(use.load(ordering: .relaxed), floor) { use.store(floor, ordering: .relaxed) }
  }

  @inline(__always)
  private static func isLess(_ first: UInt64, _ second: UInt64) -> Bool { Int64(bitPattern: first &- second) < 0 }
}
