/// The state word of a serial queue. Every transition is a read-modify-write, so that what came before one
/// happens-before what comes after it, on whatever thread (rule Q2). Modelled in `Conformance/Models/queue.pml`.
///
///     | epoch (32) | suspend count (14) | runner (10) | moving | poked | queued | running | scheduled |
///
///     idle ──submit──▶ scheduled ──a worker pops the entry──▶ scheduled, running ──list empty──▶ idle
///                          ▲                                        │
///                          └── budget spent, retargeted, suspended ─┘
///
/// - scheduled: somebody is responsible for the queue: a valid entry stands in its target, or it is running, or it is
///   suspended (then the last `resume` pushes an entry, if none stands there).
/// - queued: an entry of the present epoch stands in the target. A worker that takes one from a suspended queue drops it,
///   and says so here. So a queue that is suspended and resumed again and again has one entry in its target.
/// - An entry is valid if its epoch is the word's, and the queue is scheduled, not running and not suspended. In a thread
///   queue to which the queue has come back, an older one is as good (see `Visits`).
/// - Retarget: publish the target, *then* raise the epoch. A pusher reads the target *after* the operation that made it
///   responsible, so an entry whose epoch is still current stands in the current target. Who raised the epoch of a
///   queue that is scheduled, not running, not suspended, pushes the new entry. Of a running one, the runner does, at
///   the next task boundary; it is told through its worker's interrupt word (rule M2).
/// - moving: the queue was running when it was retargeted; the runner clears it when it leaves, which completes the
///   move.
/// - poked: the producer of an entry that the consumer awaits has published it while the queue was running.
struct SerialState {
  var word: UInt64

  static let scheduled: UInt64 = 1 << 0
  static let running: UInt64 = 1 << 1
  static let queued: UInt64 = 1 << 2
  static let poked: UInt64 = 1 << 4
  static let moving: UInt64 = 1 << 5
  static let runnerShift: UInt64 = 8
  static let runnerMask: UInt64 = 1023 << runnerShift
  static let suspendUnit: UInt64 = 1 << 18
  static let suspendLimit: UInt64 = (1 << 14) - 1
  static let epochUnit: UInt64 = 1 << 32

  @inline(__always) init(_ word: UInt64) { self.word = word }

  @inline(__always) func has(_ flag: UInt64) -> Bool { word & flag != 0 }
  @inline(__always) var epoch: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
  @inline(__always) var runner: Int { Int((word & SerialState.runnerMask) >> SerialState.runnerShift) }
  @inline(__always) var suspendCount: UInt64 { (word >> 18) & SerialState.suspendLimit }
  @inline(__always) var isSuspended: Bool { suspendCount != 0 }
  /// Whether it is to be run.
  @inline(__always) var isDue: Bool { has(SerialState.scheduled) && !isSuspended }
  /// Whether its entry has to be pushed when its suspension ends.
  var lacksEntry: Bool { has(SerialState.scheduled) && !has(SerialState.running) && !has(SerialState.queued) }
}
