/// What one sample of one subject came to, by name.
struct Figures {
  private var values: [String: Double] = [:]

  subscript(_ key: String) -> Double? {
    get { values[key] }
    set { values[key] = newValue }
  }

  /// Adds to what another program of the same sample has told.
  mutating func add(_ key: String, _ value: Double) { values[key, default: 0] += value }

  /// Reads `key value`; nil if the line is anything else.
  static func parse(_ line: String) -> (key: String, value: Double)? {
    let words = line.split(separator: " ")
    guard words.count == 2, let value = Double(words[1]) else { return nil }
    return (String(words[0]), value)
  }
}
