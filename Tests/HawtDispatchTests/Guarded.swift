@testable import HawtDispatch

/// A value behind the library's lock; the thread sanitizer takes the standard library's mutex for a race, now and then.
final class Guarded<Value>: @unchecked Sendable {
  // Sound as Sendable: `lock` guards `value`.
  private let lock = Lock()
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result>(_ body: (inout Value) -> Result) -> Result { lock.withLock { body(&value) } }
}
