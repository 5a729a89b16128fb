/// Why a check gave up.
public struct CheckFailure: Error, Sendable, CustomStringConvertible {
  /// What was wrong.
  public let description: String

  /// A failure with its reason.
  public init(_ description: String) { self.description = description }
}

/// What a check works with: dispatchers on the backend under test, randomness that can be replayed, ways to wait, and
/// the two things it hands back, failures and evidence. Usable from any thread.
public final class CheckContext: @unchecked Sendable {
  // Sound: the variables are only touched under `lock`.
  private let lock = Lock()
  private var failures: [String] = []
  private var evidence: [(text: String, count: Int)] = []
  private var details: [String] = []
  private var cleanups: [Cleanup: [@Sendable () -> Void]] = [:]

  /// What is under test.
  public let subject: Subject
  /// The rule that the check belongs to.
  public let rule: Rule
  /// Where this check's randomness starts.
  public let seed: UInt64
  let options: Options
  let subjects: [Subject]

  init(subject: Subject, subjects: [Subject], rule: Rule, check: String, options: Options) {
    self.subject = subject
    self.subjects = subjects
    self.rule = rule
    self.options = options
    // Each check has its own sequence, so that running one alone replays it.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in (rule.id + "/" + check).utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    seed = options.seed ^ hash
  }

  // MARK: Verdicts

  /// Notes a failure unless `condition` holds; the check goes on.
  @discardableResult
  public func expect(_ condition: Bool, _ message: @autoclosure () -> String) -> Bool {
    if !condition { fail(message()) }
    return condition
  }

  /// Ends the check as failed unless `condition` holds.
  public func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw CheckFailure(message()) }
  }

  /// Notes a failure. What is said a thousand times is as true when said a few times.
  public func fail(_ message: String) {
    lock.change { if failures.count < 8 { failures.append(message) } }
  }

  /// Notes a failure of one of many things, each of which has its own: none is left out.
  func failEach(_ message: String) { lock.change { failures.append(message) } }

  /// Notes one of many things that were seen, by name: too many for a line for people, and no evidence by itself.
  func detail(_ text: String) { lock.change { details.append(text) } }

  /// Notes what was seen. A check without evidence fails: it may have looked at nothing.
  public func record(_ what: String, _ count: Int = 1) {
    guard count > 0 else { return }
    lock.change {
      if let index = evidence.firstIndex(where: { $0.text == what }) {
        evidence[index].count += count
      } else {
        evidence.append((what, count))
      }
    }
  }

  var noted: (failures: [String], evidence: [(text: String, count: Int)]) { lock.read { (failures, evidence) } }
  var notedDetails: [String] { lock.read { details } }
  var hasFailed: Bool { lock.read { !failures.isEmpty } }

  // MARK: Size and chance

  /// `full` in a release build, less where the build is slower; at least `minimum`.
  public func scaled(_ full: Int, minimum: Int = 1) -> Int {
    max(minimum, Int(Double(full) * options.effectiveScale))
  }

  /// A generator for the `index`-th of several threads or rounds.
  func random(_ index: Int = 0) -> SeededRandom {
    var generator = SeededRandom(seed: seed &+ UInt64(truncatingIfNeeded: index) &* 0x9E37_79B9)
    _ = generator.next()
    return generator
  }

  // MARK: Waiting

  /// How long to wait for an event before calling it lost.
  var patience: Duration { options.patience }

  func latch(_ count: Int = 1) -> Latch { Latch(count, patience: patience) }
  func recorder<Element: Sendable>(of type: Element.Type = Element.self) -> Recorder<Element> {
    Recorder(patience: patience)
  }

  /// A gate that is opened at the latest when the check ends, so that a failed check leaves no worker stuck.
  func gate() -> Gate {
    let gate = Gate(patience: patience)
    atEnd { gate.open() }
    return gate
  }

  /// Waits for something that no event announces: asks again and again, soon at first, then every millisecond.
  func eventually(
    _ what: @autoclosure () -> String, within bound: Duration? = nil, _ isTrue: () throws -> Bool
  ) throws {
    let start = Moment.now
    while try !isTrue() {
      if start.elapsed > bound ?? patience { throw CheckFailure("it never came true that \(what())") }
      if start.elapsed < .microseconds(50) { continue }
      pause(start.elapsed < .milliseconds(2) ? .microseconds(50) : .milliseconds(1))
    }
  }

  /// Lets time pass, where the passing of time is itself what is being checked (nothing happens, no CPU is used).
  func pause(_ duration: Duration) { _ = Lock().wait(atMost: duration) { false } }

  // MARK: Cleaning up

  /// When a cleanup runs: what holds workers is let go before dispatchers end, and descriptors are closed after.
  public enum Cleanup: Int, Sendable, CaseIterable {
    case gates, dispatchers, descriptors
  }

  /// Has `cleanup` run when the check has ended; of one kind, the last one first.
  public func atEnd(_ kind: Cleanup = .gates, _ cleanup: @escaping @Sendable () -> Void) {
    lock.change { cleanups[kind, default: []].append(cleanup) }
  }

  func cleanUp() {
    for kind in Cleanup.allCases {
      while let cleanup = lock.change({ cleanups[kind]?.popLast() }) { cleanup() }
    }
  }
}
