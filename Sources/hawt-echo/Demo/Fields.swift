/// The numbers of a line made of names and numbers, as this program's processes tell each other.
struct Fields {
  private var values: [Substring: Int] = [:]
  private let line: String

  /// - Throws: `ChildError` if the line does not begin with `kind`.
  init(_ line: String, kind: String) throws {
    self.line = line
    let words = line.split(separator: " ")
    guard words.first == Substring(kind) else {
      throw ChildError(description: "expected a line '\(kind) …', got '\(line)'")
    }
    for index in stride(from: 1, to: words.count - 1, by: 2) { values[words[index]] = Int(words[index + 1]) }
  }

  func number(_ name: Substring) throws -> Int {
    guard let value = values[name] else { throw ChildError(description: "no number '\(name)' in '\(line)'") }
    return value
  }
}
