internal import Synchronization

/// The number of a worker, or -1 for none, in two bytes: there are 1,024 workers at most.
struct AtomicWorkerIndex: ~Copyable {
  private let word: Atomic<Int16>

  init(_ index: Int) { word = Atomic(Int16(index)) }

  /// Sequentially consistent, all three.
  @inline(__always) var current: Int { Int(word.load(ordering: .sequentiallyConsistent)) }

  @inline(__always)
  func store(_ index: Int) { word.store(Int16(index), ordering: .sequentiallyConsistent) }

  @inline(__always)
  func exchange(_ index: Int) -> Int { Int(word.exchange(Int16(index), ordering: .sequentiallyConsistent)) }

  /// For who wrote it last, or needs no order.
  @inline(__always) var relaxed: Int { Int(word.load(ordering: .relaxed)) }
}
