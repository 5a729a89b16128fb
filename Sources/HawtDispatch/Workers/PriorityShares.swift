internal import Synchronization

/// How much of the workers' time each priority has had, so that saturated workers share it as `PriorityWeights`
/// says (rule Q9).
///
/// Weighted nanoseconds of processor time, counted while more than one priority has work; not of time as it passes, as what
/// the system gives to other processes is nobody's share. Over all workers, as one may have only some of the priorities at
/// hand: the others make up for it. A priority that had no work has no claim to what it did not use, but for a short
/// burst. Relaxed operations: these are numbers, and order nothing.
final class PriorityShares: Sendable {
  private let high = Atomic<UInt64>(0)
  private let normal = Atomic<UInt64>(0)
  private let low = Atomic<UInt64>(0)
  /// What a nanosecond costs each priority, in 1/256 of what it costs the one that has the greatest weight.
  private let costs: (high: UInt64, normal: UInt64, low: UInt64)
  /// How far a priority may be behind, in weighted nanoseconds: what ten turns of the lightest come to.
  private let credit: UInt64

  init(_ weights: PriorityWeights) {
    let greatest = max(weights.high, weights.default, weights.low) * 256
    costs = (UInt64(greatest / weights.high), UInt64(greatest / weights.default), UInt64(greatest / weights.low))
    credit = 2_500_000 * max(costs.high, costs.normal, costs.low) >> 8
  }

  /// Of the priorities that have work, the one that has had the least of its share; nil if none has work.
  ///
  /// - Returns: the priority, and whether another one has work too: then what it gets is to be charged.
  @inline(__always)
  func choose(high hasHigh: Bool, normal hasNormal: Bool, low hasLow: Bool) -> (level: Int, isContended: Bool)? {
    if hasNormal, !hasHigh, !hasLow { return (1, false) }
    guard hasHigh || hasNormal || hasLow else { return nil }
    if !hasNormal, hasHigh != hasLow { return (hasHigh ? 0 : 2, false) }
    return (leastUsed(hasHigh, hasNormal, hasLow), true)
  }

  @inline(never)
  private func leastUsed(_ hasHigh: Bool, _ hasNormal: Bool, _ hasLow: Bool) -> Int {
    var best = -1
    var least = UInt64.max
    if hasHigh { (best, least) = (0, high.load(ordering: .relaxed)) }
    let normalUse = normal.load(ordering: .relaxed)
    if hasNormal, normalUse < least { (best, least) = (1, normalUse) }
    if hasLow, low.load(ordering: .relaxed) < least { best = 2 }
    return best
  }

  /// A priority has had some time.
  func charge(_ level: Int, _ elapsed: Nanoseconds) {
    switch level {
    case 0: raiseOthers(to: high.wrappingAdd((elapsed &* costs.high) >> 8, ordering: .relaxed).newValue)
    case 1: raiseOthers(to: normal.wrappingAdd((elapsed &* costs.normal) >> 8, ordering: .relaxed).newValue)
    default: raiseOthers(to: low.wrappingAdd((elapsed &* costs.low) >> 8, ordering: .relaxed).newValue)
    }
  }

  private func raiseOthers(to use: UInt64) {
    guard use > credit else { return }
    let floor = use - credit
    if high.load(ordering: .relaxed) < floor { high.store(floor, ordering: .relaxed) }
    if normal.load(ordering: .relaxed) < floor { normal.store(floor, ordering: .relaxed) }
    if low.load(ordering: .relaxed) < floor { low.store(floor, ordering: .relaxed) }
  }
}
