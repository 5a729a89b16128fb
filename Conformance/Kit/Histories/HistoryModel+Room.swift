/// How full a connection is towards its far end, and how that one ends: what its writers are told.
///
/// A fill and a drain that meet leave it either way. So does a close of the far end while something is in it.
extension HistoryModel {
  /// A fill or a drain is called.
  mutating func roomChanges(_ number: Int, of line: Int) {
    guard let own = calls[number]?.operation else { return }
    for (other, call) in calls where other != number && call.operation.crosses(own) {
      calls[other]?.isCrossed = true
      calls[number]?.isCrossed = true
    }
    guard case .fill = own else {
      lines[line]?.mayHaveRoom = true
      return
    }
    lines[line]?.mayBeFull = true
    if lines[line]?.isHungUp == .possibly { lines[line]?.mayBreak = true }
  }

  mutating func filled(_ name: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    guard let line = lines[name] else { return }
    switch outcome {
    case .done: if !call.isCrossed { lines[name]?.mayHaveRoom = false }
    case .threw("gone"):
      try require(line.isReplaced != .no, "S8: c\(name) has lost its number, which nobody took")
    default:
      let isBroken = outcome == .threw("EPIPE") || outcome == .threw("ECONNRESET")
      try require(isBroken && line.isHungUp != .no, "S5: c\(name) could not be filled: \(outcome)")
    }
    // The room may have been seen just before; but the handler that filled it is told of no room that it has used up.
    for source in line.sources where line.mayHaveRoom && call.by != .handler(source) {
      let isActive = sources[source].map { $0.isActive || $0.activating > 0 } ?? false
      if isActive { sources[source]?.mayBeLate = true }
    }
  }

  /// The far end is about to be ended.
  mutating func endsFar(of name: Int, _ ending: FarEnd) {
    guard let line = lines[name] else { return }
    lines[name]?.ended = max(.possibly, line.ended)
    if ending == .reset { lines[name]?.isReset = true }
    guard ending != .halfClose else { return }
    lines[name]?.isHungUp = max(.possibly, line.isHungUp)
    lines[name]?.mayBreak = line.mayBeFull
  }

  mutating func hasEndedFar(of name: Int, _ ending: FarEnd) {
    lines[name]?.ended = .yes
    if ending != .halfClose { lines[name]?.isHungUp = .yes }
  }
}

extension HistoryOperation {
  /// Whether one fills what the other drains.
  fileprivate func crosses(_ other: HistoryOperation) -> Bool {
    switch (self, other) {
    case (.fill(let mine), .drain(let its)), (.drain(let mine), .fill(let its)): mine == its
    default: false
    }
  }
}
