internal import CLinux
internal import Glibc
internal import Synchronization

/// A linearizable first-in, first-out list of entries: many producers, one consumer at a time (rule Q1).
/// Modelled in `Conformance/Models/chunks.pml`.
///
///     tail   | chunk address (48) | closed (1) | index (15) |      one fetch-add reserves a slot for good
///
///     index < capacity    the slot is mine: write the words, then publish the tag
///     index ≥ capacity    the chunk is full: fill slot 0 of a fresh one, move the tail from what was read to
///                         (fresh, 1), then link it from the old chunk; or start again if the tail has moved
///
/// A null chunk has capacity 0, so that the first producer of an idle list installs; it is linked from `first`. An
/// index beyond the capacity stands for no slot. Whoever finds a full chunk reads the tail before reserving again, so
/// the index exceeds the capacity by the number of threads at most. The consumer gives the chunk of an empty list back
/// by one compare-and-exchange of the tail from (chunk, all consumed) to (null, 0), which fails if anything has been
/// reserved.
///
/// - Why nobody touches a freed chunk. A producer touches the chunk in which it has a slot, or whose successor it
///   installs. The consumer frees a chunk when each slot is consumed *and* the successor is linked (the installer's
///   last access), or by the exchange above, which proves that no slot is reserved and no one installs.
/// - Why nothing is lost. A producer publishes (sequentially consistent), *then* looks at the queue's state; the
///   consumer of a list that it found empty clears the state, *then* looks whether a first chunk has been linked
///   (sequentially consistent as well). Either the producer sees the cleared state and schedules, or the consumer sees
///   the link.
/// - Why nobody spins. A slot (or link) that is reserved and not yet published is *marked* by the consumer, which then
///   leaves; the producer's exchange finds the mark and answers `.acceptedAwaited`: the queue must be poked.
/// - Closed (rule L3): the fetch-add that reserves also tells whether the list was closed before; the slot of a
///   refused submission is filled with a void entry. So each submission is decided at one point of time.
struct ChunkList: ~Copyable {
  private static let closedBit: UInt64 = 1 << 15
  private static let indexMask: UInt64 = closedBit - 1

  private let tail = Atomic<UInt64>(0)
  /// The first chunk after the list was empty: the link of the null chunk.
  private let first = Atomic<UInt>(0)
  /// The chunk that holds the next entry, or null. The consumer's alone.
  private let head = Atomic<UInt>(0)
  /// How many chunks the consumer is done with (32), and how many slots of the head it has consumed (32). In one word,
  /// for `depth`. Written by the consumer alone.
  private let consumed = Atomic<UInt64>(0)
  private static let finishedUnit: UInt64 = 1 << 32
  /// How many chunks have been installed, for `depth`.
  private let installed = Atomic<UInt32>(0)

  /// What the consumer writes over an empty tag or link on which it stops.
  private static let awaited = Entry.Kind.awaited

  /// What became of an entry that was pushed.
  ///
  /// Refused: a void entry stands in its slot, to be consumed; without trace: nothing does.
  enum Push { case accepted, acceptedAwaited, refused, refusedWithoutTrace }

  /// What a consumer that found nothing to pop may do.
  enum Settled {
    /// The list is empty and has given its chunk back; look at `isLinked` after clearing the state.
    case empty
    /// An entry has come meanwhile: go on.
    case arrived
    /// The oldest entry is not published yet; its producer will poke.
    case awaiting
  }

  /// What a fetch-add of the tail gave.
  private struct Reservation {
    let word: UInt64
    var chunk: Chunk? { Chunk(bits: UInt(word >> 16)) }
    var index: Int { Int(word & indexMask) }
    var isClosed: Bool { word & closedBit != 0 }
    static func word(_ chunk: Chunk, index: Int) -> UInt64 { UInt64(chunk.bits) << 16 | UInt64(index) }
  }

  // MARK: Producers

  /// Appends an entry. Any thread; constant time but for the allocation of a chunk.
  ///
  /// - Parameter isOutside: whether a closed list refuses it.
  @inline(__always)
  func push(_ entry: Entry, isOutside: Bool, worker: WorkerRef?) -> Push {
    // Sequentially consistent: the reservation is the point at which the submission happens (rule Q1), and it must
    // come before the producer's later look at the queue's state.
    let got = Reservation(word: tail.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue)
    if got.index < Chunk.capacity, let chunk = got.chunk, !got.isClosed {
      return publish(entry, in: chunk, at: got.index)
    }
    return pushSlowly(entry, got, isOutside: isOutside, worker: worker)
  }

  /// Appends an entry, by the thread that is the consumer now: it awaits nothing while it does, and will look at the list
  /// again by itself, so a plain store publishes.
  /// - Returns: false if there is no room in the last chunk; the entry is still the caller's.
  @inline(__always)
  func pushAsConsumer(_ entry: Entry) -> Bool {
    let got = Reservation(word: tail.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue)
    guard got.index < Chunk.capacity, let chunk = got.chunk else { return false }
    chunk.write(entry, at: got.index)
    // Releases the words to whoever consumes next.
    chunk.tag(got.index).pointee.store(entry.tag, ordering: .releasing)
    return true
  }

  @inline(__always)
  private func publish(_ entry: Entry, in chunk: Chunk, at index: Int) -> Push {
    chunk.write(entry, at: index)
    // Releases the words to the consumer; sequentially consistent for "why nothing is lost".
    let old = chunk.tag(index).pointee.exchange(entry.tag, ordering: .sequentiallyConsistent)
    return old == Entry.Kind.empty ? .accepted : .acceptedAwaited
  }

  /// Reserves until there is a slot, or installs a chunk. Lock-free: whoever finds the chunk full may install the next.
  @inline(never)
  private func pushSlowly(_ entry: Entry, _ first: Reservation, isOutside: Bool, worker: WorkerRef?) -> Push {
    var got = first
    var fresh: Chunk?
    defer { if let fresh { recycle(fresh, worker: worker) } }
    while true {
      if let chunk = got.chunk, got.index < Chunk.capacity {
        guard got.isClosed, isOutside else { return publish(entry, in: chunk, at: got.index) }
        // The slot is reserved for good: it is filled with an entry that means nothing, and must be consumed too.
        _ = entry.discard()
        _ = publish(.void, in: chunk, at: got.index)
        return .refused
      }
      let word = tail.load(ordering: .sequentiallyConsistent)
      let seen = Reservation(word: word)
      if seen.chunk != nil, seen.index < Chunk.capacity {
        got = Reservation(word: tail.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue)
        continue
      }
      if seen.isClosed, isOutside {
        _ = entry.discard()
        trimIndex()
        return .refusedWithoutTrace
      }
      let next = fresh ?? worker?.takeChunk() ?? SharedChunks.all.take()
      fresh = next
      if let result = install(next, with: entry, after: seen) {
        fresh = nil
        return result
      }
    }
  }

  /// Takes back what refused submissions have added to the index of a closed list, before it reaches the closed bit.
  private func trimIndex() {
    var word = tail.load(ordering: .relaxed)
    while true {
      let seen = Reservation(word: word)
      guard seen.index > Chunk.capacity + 1024 else { return }
      // An index at or beyond the capacity stands for no slot, so lowering it to the capacity takes nothing away.
      let excess = UInt64(seen.index - (seen.chunk == nil ? 0 : Chunk.capacity))
      let (done, now) = tail.weakCompareExchange(
        expected: word, desired: word - excess, ordering: .sequentiallyConsistent)
      if done { return }
      word = now
    }
  }

  /// Appends a chunk whose first entry is `entry`, if the tail is still what was seen: full, or null.
  private func install(_ chunk: Chunk, with entry: Entry, after seen: Reservation) -> Push? {
    chunk.write(entry, at: 0)
    chunk.tag(0).pointee.store(entry.tag, ordering: .relaxed)
    let moved = Reservation.word(chunk, index: 1) | (seen.word & ChunkList.closedBit)
    // Releases the new chunk to the producers that reserve in it. The whole word is compared, the index too: a chunk
    // that was recycled to the same address has another.
    guard
      tail.compareExchange(expected: seen.word, desired: moved, ordering: .sequentiallyConsistent).exchanged
    else {
      chunk.tag(0).pointee.store(Entry.Kind.empty, ordering: .relaxed)
      return nil
    }
    installed.wrappingAdd(1, ordering: .relaxed)
    // Releases the chunk to the consumer; sequentially consistent as every publication is.
    guard let previous = seen.chunk else {
      first.store(chunk.bits, ordering: .sequentiallyConsistent)
      return .accepted
    }
    let old = previous.next.pointee.exchange(chunk.bits, ordering: .sequentiallyConsistent)
    return old == 0 ? .accepted : .acceptedAwaited
  }

  // MARK: The consumer

  /// Takes the oldest entry; `.empty` if there is none, or if it is reserved and not yet published. The caller is the
  /// consumer.
  @inline(__always)
  func pop(worker: WorkerRef?) -> Entry {
    let done = consumed.load(ordering: .relaxed)
    let index = ChunkList.index(done)
    if index < Chunk.capacity, let chunk = Chunk(bits: head.load(ordering: .relaxed)) {
      // Acquires the words that the producer wrote.
      let tag = chunk.tag(index).pointee.load(ordering: .acquiring)
      guard tag > ChunkList.awaited else { return .empty }
      return take(tag, chunk, index, done)
    }
    return popAcrossChunks(worker: worker)
  }

  @inline(__always)
  private static func index(_ consumed: UInt64) -> Int { Int(truncatingIfNeeded: consumed & (finishedUnit - 1)) }

  @inline(__always)
  private func take(_ tag: UInt, _ chunk: Chunk, _ index: Int, _ done: UInt64) -> Entry {
    let entry = chunk.read(index, tag: tag)
    // Relaxed: the chunk is handed on by a releasing operation before anybody reads the tag again.
    chunk.tag(index).pointee.store(Entry.Kind.empty, ordering: .relaxed)
    consumed.store(done &+ 1, ordering: .relaxed)
    return entry
  }

  @inline(never)
  private func popAcrossChunks(worker: WorkerRef?) -> Entry {
    let old = Chunk(bits: head.load(ordering: .relaxed))
    // Acquires what the installer wrote.
    let bits = old.map { $0.next.pointee.load(ordering: .acquiring) } ?? first.load(ordering: .acquiring)
    guard bits > ChunkList.awaited, let chunk = Chunk(bits: bits) else { return .empty }
    head.store(bits, ordering: .relaxed)
    var done = consumed.load(ordering: .relaxed)
    if let old {
      done = (done / ChunkList.finishedUnit &+ 1) &* ChunkList.finishedUnit
      recycle(old, worker: worker)
    } else {
      first.store(0, ordering: .relaxed)
    }
    return take(chunk.tag(0).pointee.load(ordering: .acquiring), chunk, 0, done)
  }

  /// Whether the oldest entry is there to be popped. The caller is the consumer. False also if the entry is reserved
  /// and not yet published.
  func hasReady() -> Bool {
    // Sequentially consistent: pairs with the publication, as a worker asks this after it announced its sleep.
    guard let chunk = Chunk(bits: head.load(ordering: .relaxed)) else { return isLinked }
    let index = ChunkList.index(consumed.load(ordering: .relaxed))
    guard index < Chunk.capacity else {
      return chunk.next.pointee.load(ordering: .sequentiallyConsistent) > ChunkList.awaited
    }
    return chunk.tag(index).pointee.load(ordering: .sequentiallyConsistent) > ChunkList.awaited
  }

  /// Whether an empty list has been given a first chunk. Any thread: it touches no chunk.
  @inline(__always)
  var isLinked: Bool { first.load(ordering: .sequentiallyConsistent) != 0 }

  /// Whether nothing is reserved in the list beyond the first `index` slots of `chunk`.
  private static func isConsumed(_ word: UInt64, _ chunk: Chunk, _ index: Int) -> Bool {
    let got = Reservation(word: word)
    return got.chunk?.bits == chunk.bits && min(got.index, Chunk.capacity) == index
  }

  /// To be called by the consumer when `pop` gave nothing: gives the chunk of an empty list back, or marks what is to
  /// be awaited.
  @inline(__always)
  func settle(worker: WorkerRef?) -> Settled {
    guard let chunk = Chunk(bits: head.load(ordering: .relaxed)) else { return .empty }
    let before = consumed.load(ordering: .relaxed)
    let index = ChunkList.index(before)
    var word = tail.load(ordering: .relaxed)
    // An index beyond the capacity stands for no slot: refused submissions leave one at a closed list, and nobody will
    // install a chunk. An installer that is on its way finds the tail moved, and starts again.
    while ChunkList.isConsumed(word, chunk, index) {
      // Before the exchange, as `depth` may be too low for a moment, but never too high.
      consumed.store((before / ChunkList.finishedUnit &+ 1) &* ChunkList.finishedUnit, ordering: .relaxed)
      let (done, now) = tail.compareExchange(
        expected: word, desired: word & ChunkList.closedBit, ordering: .sequentiallyConsistent)
      if done {
        head.store(0, ordering: .relaxed)
        recycle(chunk, worker: worker)
        return .empty
      }
      // Not only a reservation may have come between: `close` changes the word, and nobody would end the wait for that.
      consumed.store(before, ordering: .relaxed)
      word = now
    }
    let awaitedWord = index < Chunk.capacity ? chunk.tag(index) : chunk.next
    let (marked, seen) = awaitedWord.pointee.compareExchange(
      expected: 0, desired: ChunkList.awaited, ordering: .sequentiallyConsistent)
    return marked || seen == ChunkList.awaited ? .awaiting : .arrived
  }

  private func recycle(_ chunk: Chunk, worker: WorkerRef?) {
    chunk.next.pointee.store(0, ordering: .relaxed)
    if let worker { worker.giveChunk(chunk) } else { SharedChunks.all.give(chunk) }
  }

  // MARK: Everybody

  /// How many entries wait. A snapshot: exact if nobody pushes or pops meanwhile, never too high. Constant time; touches no
  /// chunk.
  var depth: Int {
    // In this order, each acquiring, so that later reads are later: chunks that are installed after the first are not
    // counted, what is consumed until the last one is.
    let chunks = installed.load(ordering: .acquiring)
    let got = Reservation(word: tail.load(ordering: .sequentiallyConsistent))
    let done = consumed.load(ordering: .acquiring)
    guard got.chunk != nil else { return 0 }
    let full = Int(Int32(bitPattern: chunks &- UInt32(truncatingIfNeeded: done / ChunkList.finishedUnit))) - 1
    return max(0, full * Chunk.capacity + min(got.index, Chunk.capacity) - ChunkList.index(done))
  }

  /// From now on, submissions from outside are refused (rule L3).
  func close() { tail.bitwiseOr(ChunkList.closedBit, ordering: .sequentiallyConsistent) }

  /// Ends `close()`.
  func reopen() { tail.bitwiseAnd(~ChunkList.closedBit, ordering: .sequentiallyConsistent) }

  /// Whether nothing is in it, not even a reserved slot. A consumer that finds nothing leaves no chunk behind, so an
  /// empty list at which nobody works has none.
  var isEmpty: Bool { Reservation(word: tail.load(ordering: .sequentiallyConsistent)).chunk == nil }

  deinit {
    // The owner is going: nobody else has a reference. What is left was accepted by a dispatcher that is gone too.
    var bits = head.load(ordering: .relaxed)
    if bits == 0 { bits = first.load(ordering: .relaxed) }
    while let chunk = Chunk(bits: bits) {
      for index in 0..<Chunk.capacity {
        let tag = chunk.tag(index).pointee.load(ordering: .relaxed)
        if tag > ChunkList.awaited { _ = chunk.read(index, tag: tag).discard() }
      }
      bits = chunk.next.pointee.load(ordering: .relaxed)
      chunk.deallocate()
      if bits == ChunkList.awaited { break }
    }
  }
}
