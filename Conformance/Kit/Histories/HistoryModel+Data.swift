/// What sources deliver: levels of connections, and merged elements.
extension HistoryModel {
  /// Whether there is something to deliver, possibly or for sure.
  func isReady(_ source: Source, _ asked: Certainty) -> Bool {
    switch source.kind {
    case .reader(let name):
      // A handler that was about to start is not kept from it; its number just is no longer its own.
      guard let line = lines[name], line.isReplaced == .no || asked == .possibly else { return false }
      return line.ended >= asked || line.taken < (asked == .yes ? line.sent : line.mayBeSent)
    case .writer(let name):
      guard let line = lines[name], line.isReplaced == .no || asked == .possibly else { return false }
      // One that moves registers its number anew, and the successor has room.
      if line.isReplaced != .no { return true }
      return line.isHungUp >= asked || (asked == .yes ? !line.mayBeFull : line.mayHaveRoom || source.mayBeLate)
    case .refused: return false
    case .merger:
      return source.elements.contains { !$0.isDelivered && !$0.isRefused && (asked != .yes || $0.acceptedAt != nil) }
    }
  }

  /// How many bytes are certainly there for a handler that starts.
  func available(to work: HistoryWork) -> Int {
    guard case .handler(let name) = work, case .reader(let line)? = sources[name]?.kind else { return 0 }
    return lines[line].map { $0.sent - $0.taken } ?? 0
  }

  // MARK: Connections

  mutating func writes(_ line: Int, _ count: Int) {
    guard let total = lines[line].map({ $0.mayBeSent + count }) else { return }
    lines[line]?.mayBeSent = total
    lines[line]?.marks.insert(total)
  }

  mutating func wrote(_ line: Int, _ count: Int) { lines[line]?.sent += count }

  mutating func received(_ name: Int, atMost limit: Int, _ result: ReadResult) throws {
    guard let run = running[.handler(name)], case .reader(let number)? = sources[name]?.kind, let line = lines[number]
    else { throw Rejection("S1: s\(name) read without running") }
    switch result {
    case .bytes(let count):
      try require(count <= limit && line.taken + count <= line.mayBeSent, "S8: s\(name) read more than was sent")
      let least = line.isReset ? 1 : max(1, min(limit, run.available))
      try require(count >= least, "S5: s\(name) read \(count) bytes, and \(run.available) were there")
      let isWhole = line.isReset || count == limit || line.marks.contains(line.taken + count)
      try require(isWhole, "S5: s\(name) read \(count) bytes, which is a part of what was written at once")
      lines[number]?.taken += count
    case .end:
      try require(line.ended != .no, "S5: s\(name) read the end of c\(number), which has none")
      try require(line.isReset || line.taken >= line.sent, "S5: s\(name) read the end of c\(number) before its bytes")
    case .gone: try require(line.isReplaced != .no, "S8: s\(name) has lost its number, which nobody took")
    case .failed:
      try require(line.isReset || line.mayBreak, "S5: s\(name) met an error on c\(number), which nobody broke")
    case .nothing: throw Rejection("M6: s\(name) was told of readiness that it had drained already")
    }
  }

  // MARK: Elements

  mutating func merged(_ number: Int, into name: Int, _ call: Call, _ outcome: HistoryOutcome) throws {
    guard let source = sources[name], let index = source.elements.firstIndex(where: { $0.number == number }) else {
      return
    }
    let element = source.elements[index]
    switch outcome {
    case .accepted:
      try require(!call.wasCancelled, "C4: s\(name) accepted e\(number) after its cancel")
      let isLegal = !call.by.isOutside || call.phases.contains(.running)
      try require(isLegal, "L3: s\(name) accepted e\(number) from outside after a shutdown")
      try require(element.isDelivered || !source.residueWasTaken, "C1: e\(number) was accepted and is in no residue")
      sources[name]?.elements[index].acceptedAt = position
    default:
      let isExplained =
        outcome == .refusedCancelled
        ? source.cancelled != .no
        : outcome == .refusedShutDown && call.by.isOutside && call.phases != [.running]
      try require(isExplained, "C4: s\(name) did not accept e\(number): \(outcome)")
      try require(!element.isDelivered, "C4: e\(number) was refused, and delivered")
      sources[name]?.elements[index].isRefused = true
    }
  }

  mutating func took(_ name: Int, _ numbers: [Int]) throws {
    let isResidue = running[.cancelHandler(name)] != nil
    guard let source = sources[name], isResidue || running[.handler(name)] != nil else {
      throw Rejection("C1: s\(name) delivered without running")
    }
    try require(isResidue || !numbers.isEmpty, "C1: s\(name) delivered nothing")
    for (place, number) in numbers.enumerated() {
      guard let element = source.elements.first(where: { $0.number == number }) else {
        throw Rejection("C1: s\(name) delivered e\(number), which was not merged into it")
      }
      let isNew = !element.isDelivered && !numbers[..<place].contains(number)
      try require(isNew, "C1: s\(name) delivered e\(number) twice")
      try require(!element.isRefused, "C4: s\(name) delivered e\(number), which it had refused")
      let passed = source.elements.first { earlier in
        !earlier.isDelivered && !numbers[...place].contains(earlier.number)
          && earlier.acceptedAt ?? .max < element.calledAt
      }
      if let passed { throw Rejection("C3: s\(name) delivered e\(number) before e\(passed.number)") }
    }
    for element in source.elements where !element.isDelivered && !numbers.contains(element.number) {
      let isDue = element.isOverdue || (isResidue && element.acceptedAt != nil)
      let what = isResidue ? "C1: the residue of s\(name) lacks" : "C4: the delivery of s\(name) lacks"
      try require(!isDue, "\(what) e\(element.number), which waited")
    }
    for index in source.elements.indices where numbers.contains(source.elements[index].number) {
      sources[name]?.elements[index].isDelivered = true
    }
    running[isResidue ? .cancelHandler(name) : .handler(name)]?.hasTaken = true
    if isResidue { sources[name]?.residueWasTaken = true }
  }
}
