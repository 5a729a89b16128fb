/// Where everybody notes what was done and seen, in one order.
final class HistoryLog: @unchecked Sendable {
  // Sound: `events` is only touched under `lock`.
  private let lock = Lock()
  private var events: [HistoryEvent] = []

  func append(_ event: HistoryEvent) { lock.change { events.append(event) } }

  /// Appends only if nobody has noted anything since there were `count` events.
  func append(_ event: HistoryEvent, ifCountIs count: Int) -> Bool {
    lock.change {
      guard events.count == count else { return false }
      events.append(event)
      return true
    }
  }

  var count: Int { lock.read { events.count } }

  /// What was noted from `index` on.
  func events(from index: Int) -> ArraySlice<HistoryEvent> { lock.read { events[index...] } }

  /// Waits until there are more than `count` events; false if the bound passed first.
  func wait(forMoreThan count: Int, atMost bound: Duration) -> Bool {
    lock.wait(atMost: bound) { events.count > count }
  }
}
