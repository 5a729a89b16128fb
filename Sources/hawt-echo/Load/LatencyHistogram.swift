/// Counts durations in bins that grow with them: at most 1/32 wide, so that a percentile is that exact, at fixed memory.
struct LatencyHistogram {
  private static let subBits = 5
  private static let subBins = 1 << subBits

  private var bins = [Int](repeating: 0, count: 64 * subBins)
  private(set) var count = 0

  mutating func record(nanoseconds: UInt64) {
    bins[Self.bin(nanoseconds)] += 1
    count += 1
  }

  /// The upper end of the bin that the given share of all durations lies within; 0 without any.
  func percentile(_ share: Double) -> UInt64 {
    let rank = Int((Double(count) * share).rounded(.up))
    var seen = 0
    for (index, amount) in bins.enumerated() where amount > 0 {
      seen += amount
      if seen >= rank { return Self.upperEnd(index) }
    }
    return 0
  }

  /// The leading bit chooses the group, the five bits behind it the bin; small values have a bin each.
  private static func bin(_ value: UInt64) -> Int {
    guard value >= UInt64(subBins) else { return Int(value) }
    let shift = 63 - value.leadingZeroBitCount - subBits
    return (shift + 1) * subBins + Int(value >> UInt64(shift)) - subBins
  }

  private static func upperEnd(_ bin: Int) -> UInt64 {
    let group = bin / subBins
    guard group > 0 else { return UInt64(bin) }
    let mantissa = UInt64(bin % subBins + subBins)
    // The last bin ends at the end of all numbers: its upper end wraps to 0, and 0 - 1 is right.
    return ((mantissa + 1) << UInt64(group - 1)) &- 1
  }
}
