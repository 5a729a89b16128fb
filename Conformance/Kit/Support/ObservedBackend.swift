import HawtDispatch
import Polling
import Synchronization

/// A call that the library made to a backend.
struct BackendCall: Sendable, Hashable {
  enum Operation: Sendable, Hashable { case make, add, change, remove }
  /// Which instance, in the order in which they were made.
  let instance: Int
  let operation: Operation
  var descriptor: CInt = -1
  var old: Interest = []
  var new: Interest = []
}

/// Watches all calls that the library makes to the backends of one check, judges whether they keep to the contract, and
/// can refuse registrations in the system's stead.
final class BackendObserver: Sendable {
  /// The observer of the check that is running: a backend is made without arguments, so it has to find it by itself.
  static let present = Shared<BackendObserver?>(nil)

  private struct Book {
    var instances = 0
    var calls: [BackendCall] = []
    var breaches: [String] = []
    /// What each instance was last told to watch, by descriptor.
    var watched: [Int: [CInt: Interest]] = [:]
    var threadsInside: Set<UInt> = []
  }

  private let book = Shared(Book())
  private let refusal = Shared<(@Sendable (_ instance: Int, _ descriptor: CInt) -> CInt?)?>(nil)

  /// Every call but the waits, in order.
  var calls: [BackendCall] { book.with { $0.calls } }
  /// What the library did that the contract forbids.
  var breaches: [String] { book.with { $0.breaches } }
  /// Whether the calling thread is inside a call to a backend.
  var isInsideBackend: Bool { book.with { $0.threadsInside.contains(Process.currentThread) } }

  /// Has registrations refused with the error number that `rule` gives.
  func refuse(_ rule: (@Sendable (_ instance: Int, _ descriptor: CInt) -> CInt?)?) { refusal.with { $0 = rule } }

  private let waitEnd = Shared<(@Sendable (_ reported: [CInt]) -> Void)?>(nil)
  /// Has `body` called on the waiting thread at the end of each wait, with the descriptors that it found ready, before the
  /// library learns of them. It may block, to hold the report back.
  func atEndOfWait(_ body: (@Sendable (_ reported: [CInt]) -> Void)?) { waitEnd.with { $0 = body } }
  fileprivate func waitEnded(_ reported: @autoclosure () -> [CInt]) {
    if let body = waitEnd.with({ $0 }) { body(reported()) }
  }

  private let callStart = Shared<(@Sendable (_ operation: BackendCall.Operation, _ descriptor: CInt) -> Void)?>(nil)
  /// Has `body` called on the calling thread before each call but the waits is passed on, as another thread might do
  /// something at that very moment.
  func beforeCalls(_ body: (@Sendable (_ operation: BackendCall.Operation, _ descriptor: CInt) -> Void)?) {
    callStart.with { $0 = body }
  }
  fileprivate func callStarts(_ operation: BackendCall.Operation, _ descriptor: CInt) {
    if let body = callStart.with({ $0 }) { body(operation, descriptor) }
  }

  fileprivate func refusal(instance: Int, descriptor: CInt) -> CInt? {
    refusal.with { $0 }?(instance, descriptor)
  }

  fileprivate func noteNewInstance() -> Int {
    book.with { book in
      book.instances += 1
      book.calls.append(BackendCall(instance: book.instances, operation: .make))
      return book.instances
    }
  }

  fileprivate func note(_ call: BackendCall) {
    book.with { book in
      let known = book.watched[call.instance, default: [:]][call.descriptor] ?? []
      switch call.operation {
      case .make: break
      case .add:
        if !known.isEmpty { book.breaches.append("\(call.descriptor) was added while it was registered (B3)") }
        if call.new.isEmpty { book.breaches.append("\(call.descriptor) was added for nothing (B2)") }
      case .change:
        if known != call.old {
          book.breaches.append("\(call.descriptor) was changed from \(call.old), it was registered for \(known)")
        }
        if call.old == call.new { book.breaches.append("\(call.descriptor) was changed to what it was (B4)") }
      case .remove:
        if known != call.old {
          book.breaches.append("\(call.descriptor) was removed from \(call.old), it was registered for \(known)")
        }
      }
      book.watched[call.instance, default: [:]][call.descriptor] = call.new.isEmpty ? nil : call.new
      book.calls.append(call)
    }
  }

  /// What an instance watches after a refusal: nothing new.
  fileprivate func noteRefusal(instance: Int, descriptor: CInt, leaving old: Interest = []) {
    book.with { $0.watched[instance, default: [:]][descriptor] = old.isEmpty ? nil : old }
  }

  fileprivate func noteBreach(_ text: String) { book.with { $0.breaches.append(text) } }
  fileprivate func enter() { book.with { _ = $0.threadsInside.insert(Process.currentThread) } }
  fileprivate func leave() { book.with { _ = $0.threadsInside.remove(Process.currentThread) } }
}

/// A backend that does what `Base` does and tells the present observer.
struct ObservedBackend<Base: PollingBackend & ~Copyable>: PollingBackend, ~Copyable {
  private var base: Base
  private let desk: Desk
  private var descriptors: [Polling.Token: CInt] = [:]

  static var identity: BackendIdentity { Base.identity }
  static var traits: BackendTraits { Base.traits }

  init() throws(BackendError) {
    base = try Base()
    desk = Desk()
  }

  mutating func add(_ descriptor: CInt, _ token: Polling.Token, _ interest: Interest) throws(BackendError) {
    desk.enter(.add)
    defer { desk.leave() }
    if let code = desk.observer.refusal(instance: desk.instance, descriptor: descriptor) {
      throw BackendError(.add, descriptor: descriptor, code: code)
    }
    desk.note(.add, descriptor, from: [], to: interest)
    do {
      try base.add(descriptor, token, interest)
      descriptors[token] = descriptor
    } catch {
      desk.observer.noteRefusal(instance: desk.instance, descriptor: descriptor)
      throw error
    }
  }

  mutating func change(
    _ descriptor: CInt, _ token: Polling.Token, from old: Interest, to new: Interest
  ) throws(BackendError) {
    desk.enter(.change)
    defer { desk.leave() }
    desk.note(.change, descriptor, from: old, to: new)
    do {
      try base.change(descriptor, token, from: old, to: new)
    } catch {
      desk.observer.noteRefusal(instance: desk.instance, descriptor: descriptor, leaving: old)
      throw error
    }
  }

  mutating func remove(_ descriptor: CInt, _ token: Polling.Token, from interest: Interest) {
    desk.enter(.remove)
    defer { desk.leave() }
    desk.note(.remove, descriptor, from: interest, to: [])
    base.remove(descriptor, token, from: interest)
    descriptors[token] = nil
  }

  mutating func wait(_ mode: WaitMode, into ready: inout ReadyBuffer) throws(BackendError) {
    desk.enter(.make)
    defer { desk.leave() }
    if ready.count != 0 { desk.observer.noteBreach("a wait was given a buffer that is not empty (B5)") }
    try base.wait(mode, into: &ready)
    var seen: Set<Polling.Token> = []
    for position in 0..<ready.count where !seen.insert(ready[position].token).inserted {
      desk.observer.noteBreach("a wait reported one descriptor twice (B5)")
    }
    desk.observer.waitEnded(seen.compactMap { descriptors[$0] })
  }
}

/// Where one observed instance is used: by one thread at a time, or rule B6 is broken.
private final class Desk: Sendable {
  let observer: BackendObserver
  let instance: Int
  private let users = Atomic<Int>(0)

  init() {
    // A wrapped backend without a check around it observes for nobody.
    observer = BackendObserver.present.with { $0 } ?? BackendObserver()
    instance = observer.noteNewInstance()
  }

  func enter(_ operation: BackendCall.Operation) {
    if users.add(1, ordering: .sequentiallyConsistent).newValue > 1 {
      observer.noteBreach("two threads were in one backend at once (B6)")
    }
    observer.enter()
  }

  func leave() {
    observer.leave()
    users.subtract(1, ordering: .sequentiallyConsistent)
  }

  func note(_ operation: BackendCall.Operation, _ descriptor: CInt, from old: Interest, to new: Interest) {
    observer.note(
      BackendCall(instance: instance, operation: operation, descriptor: descriptor, old: old, new: new))
    observer.callStarts(operation, descriptor)
  }
}

extension CheckContext {
  /// A bench on the backend under test, watched by the returned observer; every breach that it notes fails the check.
  func observedBench(
    workers: Int = 2, configure: (inout Configuration) -> Void = { _ in }
  ) throws -> (bench: Bench, observer: BackendObserver) {
    let observer = BackendObserver()
    BackendObserver.present.with { $0 = observer }
    atEnd(.descriptors) {
      BackendObserver.present.with { $0 = nil }
    }
    let bench = try bench(workers: workers) {
      $0.backend = subject.laboratory.observed
      configure(&$0)
    }
    atEnd(.descriptors) { [weak self] in
      for breach in Set(observer.breaches) { self?.fail("the library broke the backend's contract: \(breach)") }
    }
    return (bench, observer)
  }
}
