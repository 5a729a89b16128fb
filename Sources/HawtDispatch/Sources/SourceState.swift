/// The state word of a source. Modelled in `Conformance/Models/source.pml`.
///
///     | epoch (32) | suspend count (16) | flags (16) |
///
///     inactive ──activate──▶ active ──something to deliver──▶ pending ──its entry is taken──▶ pending, running
///                              ▲                                 │ (cancelled, suspended: dropped)   │
///                              └─────────────────────────────────┴───────────the handler ends────────┘
///     any ──cancel──▶ cancelled ──not pending, not registered, nothing to reconcile──▶ finished ──▶ done
///
/// | operation | what it does to the word | who acts then |
/// | activate  | + active                 | reconcile registers; what waits is delivered |
/// | suspend   | count + 1                | nobody: the next handler does not start |
/// | resume    | count - 1                | at 0: delivers what waits, reconcile arms again |
/// | cancel    | + cancelled              | reconcile unregisters; whoever makes the last condition true finishes |
/// | retarget  | epoch + 1                | pushes a new entry if one stands in the old target; the old one is void |
/// | report    | + pending (or + signalled) | the entry's taker |
///
/// - pending: an entry for the handler stands in the target, or the handler runs: at most one (rule S2).
/// - signalled: there is something to deliver that no entry stands for.
/// - disarmed: the registration asks for less than the source wants, as it was reported while pending or suspended.
/// - moving: it was retargeted while its handler ran; the end of the handler clears it, and lets the retarget complete.
/// - finished: the entry for the cancel handler was pushed, once. done: it has run; the handlers are released.
struct SourceState {
  var word: UInt64

  static let active: UInt64 = 1 << 0
  static let cancelled: UInt64 = 1 << 1
  static let pending: UInt64 = 1 << 2
  static let running: UInt64 = 1 << 3
  static let registered: UInt64 = 1 << 4
  static let signalled: UInt64 = 1 << 5
  static let disarmed: UInt64 = 1 << 6
  static let finished: UInt64 = 1 << 7
  static let done: UInt64 = 1 << 8
  static let moving: UInt64 = 1 << 9
  static let suspendUnit: UInt64 = 1 << 16
  static let suspendLimit: UInt64 = (1 << 16) - 1
  static let epochUnit: UInt64 = 1 << 32

  @inline(__always) init(_ word: UInt64) { self.word = word }
  @inline(__always) func has(_ flag: UInt64) -> Bool { word & flag != 0 }
  @inline(__always) var epoch: UInt { UInt(word >> 32) }
  @inline(__always) var suspendCount: UInt64 { (word >> 16) & SourceState.suspendLimit }
  /// Whether a handler may be given something now.
  @inline(__always) var isOpen: Bool {
    word & (SourceState.active | SourceState.cancelled) == SourceState.active && suspendCount == 0
  }
}
