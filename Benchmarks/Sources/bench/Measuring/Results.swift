/// The samples of several subjects that took turns: the n-th sample of each belongs to the n-th round.
struct Results {
  let subjects: [String]
  private var samples: [String: [Figures]] = [:]

  init(_ subjects: [String]) { self.subjects = subjects }

  mutating func add(_ figures: Figures, for subject: String) { samples[subject, default: []].append(figures) }

  /// A figure of a subject in every round; empty if it reports none of that name.
  func series(_ subject: String, _ key: String) -> Series {
    Series(samples[subject, default: []].compactMap { $0[key] })
  }

  /// How a subject compares with a peer, round by round: paired, so that what slows both cancels out.
  func ratio(_ subject: String, to peer: String, _ key: String) -> Series {
    Series(zip(series(subject, key).values, series(peer, key).values).map { $0 / $1 })
  }

  /// How many times as fast as a peer a subject is, of figures that tell how long an operation takes.
  func speed(_ subject: String, over peer: String, _ key: String = "ns-per-op") -> Series {
    ratio(peer, to: subject, key)
  }
}

/// A figure in every round.
struct Series {
  let values: [Double]
  private let sorted: [Double]

  init(_ values: [Double]) {
    self.values = values
    sorted = values.sorted()
  }

  var isEmpty: Bool { values.isEmpty }
  var minimum: Double { sorted.first ?? .nan }
  var maximum: Double { sorted.last ?? .nan }
  var median: Double {
    guard !sorted.isEmpty else { return .nan }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
