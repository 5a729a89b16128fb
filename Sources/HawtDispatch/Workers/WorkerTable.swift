internal import Synchronization

/// A dispatcher's workers by number. A restart may replace one whose thread was left behind in a task; the old one
/// stays alive with the dispatcher, so what a reader got remains valid.
struct WorkerTable: @unchecked Sendable, RandomAccessCollection {
  // Sound as Sendable: the pointers are constant, and their memory lives as long as the dispatcher; elements are
  // atomic.
  private let slots: UnsafeMutablePointer<Atomic<UInt>>
  let count: Int

  init(_ workers: [Worker]) {
    count = workers.count
    slots = .allocate(capacity: workers.count)
    for (index, worker) in workers.enumerated() { (slots + index).initialize(to: Atomic(WorkerTable.bits(worker))) }
  }

  private static func bits(_ worker: Worker) -> UInt { UInt(bitPattern: Unmanaged.passUnretained(worker).toOpaque()) }

  var startIndex: Int { 0 }
  var endIndex: Int { count }

  @inline(__always)
  subscript(index: Int) -> Worker {
    precondition(index >= 0 && index < count)
    // Acquires what the worker was initialized with.
    let bits = slots[index].load(ordering: .acquiring)
    return Unmanaged<Worker>.fromOpaque(UnsafeRawPointer(bitPattern: bits)!).takeUnretainedValue()
  }

  /// The new worker must be kept alive by the caller, and so must the old one.
  func replace(_ index: Int, with worker: Worker) {
    slots[index].store(WorkerTable.bits(worker), ordering: .releasing)
  }

  func deallocate() {
    slots.deinitialize(count: count)
    slots.deallocate()
  }
}
