/// Delta debugging: leaves out steps, many at a time and then one by one, as long as the history stays wrong.
///
/// Steps keep their numbers, and one whose object is gone is passed over, so any part of a history is a history.
///
/// - Parameters:
///   - finding: the wrong history.
///   - bound: how long to try; what is left then is wrong, and perhaps not the shortest.
///   - judge: plays a part, and says what is wrong with it, if it is still the same sort of thing.
func shortest(
  _ finding: HistoryFinding, within bound: Duration = .seconds(60),
  judge: (History) throws -> HistoryFinding?
) rethrows -> HistoryFinding {
  let start = Moment.now
  var attempts = 1
  func stillWrong(_ part: History) throws -> HistoryFinding? {
    for _ in 0..<attempts where start.elapsed < bound {
      if let found = try judge(part) { return found }
    }
    return nil
  }

  // What races goes wrong now and then only; in lockstep most comes each time.
  let isSteady =
    try finding.history.pace == .lockstep && (0..<5).allSatisfy { _ in try stillWrong(finding.history) != nil }
  if !isSteady { attempts = 40 }

  var best = finding
  var size = max(1, best.history.steps.count / 2)
  while start.elapsed < bound {
    var first = 0
    let before = best.history.steps.count
    while first < best.history.steps.count, start.elapsed < bound {
      let numbers = best.history.steps.map(\.number)
      let left = Set(numbers[..<first] + numbers.dropFirst(first + size))
      // Where everything fails a history of no steps does, and says nothing.
      if !left.isEmpty, let found = try stillWrong(best.history.keeping(left)) { best = found } else { first += size }
    }
    if size > 1 { size = (size + 1) / 2 } else if best.history.steps.count == before { break }
  }
  return best
}
