/// A closure that is stored in one layout. A bare closure in a generic container would be re-abstracted, which costs
/// one more allocation a task. It has one owner, so that nobody counts a reference to what the closure captures.
struct Job: ~Copyable, Sendable {
  let run: @Sendable () throws -> Void

  /// Runs it and ends its life.
  @inline(__always)
  consuming func finish(_ report: (any Error) -> Void) {
    do { try run() } catch { report(error) }
  }
}

/// Something with a lifetime of its own that a queue can run: a work item, a timer, a source's event.
class Runnable {
  /// Runs it on the calling worker. Errors go to the dispatcher's handler, never out of here.
  ///
  /// - Parameter ticket: what the entry was made with.
  func execute(on worker: Worker, ticket: UInt) { fatalError("Runnable.execute is abstract") }

  /// Whether a shutdown keeps it for the next start; see `OwedCall`.
  var isOwed: Bool { false }

  /// Told instead of `execute` when a shutdown's deadline passed (rule L3).
  /// - Returns: whether it counts as a user's task.
  func discard(ticket: UInt) -> Bool { false }
}

/// What stands in a queue: three words, owned by whoever holds the entry. Entries are moved, never copied, so that no
/// reference is counted on the way; each is *consumed* exactly once, by `execute` or `discard`.
///
/// The tag's low byte is the kind. It is also what publishes a slot, so no kind is zero. A queue's entry carries
/// the epoch in the tag's high half: an entry whose epoch is no longer the queue's is void.
struct Entry {
  enum Kind {
    static let empty: UInt = 0
    /// What a consumer writes over an empty tag on which it stops (see `ChunkList`). Never the tag of an entry.
    static let awaited: UInt = 1
    /// A reserved slot whose submission was refused after all.
    static let void: UInt = 6
    /// `first`, `second`: a `Job`, owned.
    static let job: UInt = 2
    /// `first`: a `SerialCore`, owned.
    static let queue: UInt = 3
    /// `first`: a `Runnable`, owned; `second`: its ticket.
    static let object: UInt = 4
    static let mask: UInt = 0xff
  }

  /// Set in the tag of a task that counts against its queue's bound.
  private static let countedBit: UInt = 1 << 8
  var isCounted: Bool { tag & Entry.countedBit != 0 }
  var counted: Entry { Entry(tag: tag | Entry.countedBit, first: first, second: second) }

  var tag: UInt
  var first: UInt
  var second: UInt

  @inline(__always)
  init(tag: UInt, first: UInt, second: UInt) {
    self.tag = tag
    self.first = first
    self.second = second
  }

  static var empty: Entry { Entry(tag: Kind.empty, first: 0, second: 0) }
  static var void: Entry { Entry(tag: Kind.void, first: 0, second: 0) }

  /// Takes over the closure.
  @inline(__always)
  init(_ job: consuming Job) {
    // Moves the two words of the closure out of Swift's hands: initialized into the buffer and never deinitialized
    // there, so that the entry owns them.
    var moved: Job? = consume job
    let words = withUnsafeTemporaryAllocation(of: Job.self, capacity: 1) { buffer in
      buffer.baseAddress!.initialize(to: moved.take()!)
      return UnsafeRawPointer(buffer.baseAddress!).load(as: (UInt, UInt).self)
    }
    self.init(tag: Kind.job, first: words.0, second: words.1)
  }

  /// Keeps the queue's control block alive until the entry is consumed.
  @inline(__always)
  init(_ queue: SerialCore, epoch: UInt32) {
    let word = UInt(bitPattern: Unmanaged.passRetained(queue).toOpaque())
    self.init(tag: Kind.queue | UInt(epoch) << 32, first: word, second: 0)
  }

  /// Keeps the object alive until the entry is consumed.
  @inline(__always)
  init(_ object: Runnable, ticket: UInt = 0) {
    self.init(
      tag: Kind.object, first: UInt(bitPattern: Unmanaged.passRetained(object).toOpaque()), second: ticket)
  }

  /// Takes over a reference to the object.
  @inline(__always)
  init(owning object: Unmanaged<some Runnable>) {
    self.init(tag: Kind.object, first: UInt(bitPattern: object.toOpaque()), second: 0)
  }

  var kind: UInt { tag & Kind.mask }
  var epoch: UInt32 { UInt32(truncatingIfNeeded: tag >> 32) }

  /// Gives the closure back to Swift. Once only.
  @inline(__always)
  func takeJob() -> Job {
    // The inverse of `init(_: Job)`: the same two words, moved back.
    withUnsafeTemporaryAllocation(of: Job.self, capacity: 1) { buffer in
      UnsafeMutableRawPointer(buffer.baseAddress!).storeBytes(of: (first, second), as: (UInt, UInt).self)
      return buffer.baseAddress!.move()
    }
  }

  /// The queue, with the entry's ownership still to be released by the caller.
  @inline(__always)
  var queue: Unmanaged<SerialCore> { .fromOpaque(UnsafeRawPointer(bitPattern: first)!) }

  /// The object, with the entry's ownership still to be released by the caller.
  @inline(__always)
  var object: Unmanaged<Runnable> { .fromOpaque(UnsafeRawPointer(bitPattern: first)!) }

  /// Whether it is an `OwedCall`'s.
  var isOwed: Bool { kind == Kind.object && object._withUnsafeGuaranteedRef { $0.isOwed } }

  /// Consumes the entry without running it.
  /// - Returns: whether it was a user's task.
  func discard() -> Bool {
    switch kind {
    case Kind.job:
      _ = takeJob()
      return true
    case Kind.queue:
      queue.release()
      return false
    case Kind.object:
      return object.takeRetainedValue().discard(ticket: second)
    default:
      return false
    }
  }
}
