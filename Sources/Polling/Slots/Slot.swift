/// One registration in a poller's table.
///
/// ```
///   free ──register──▶ used ──unregister──▶ free, under the next generation
/// ```
/// While it is used, `armed` is what the kernel was told and `wanted` what it will be told on the way into the next wait.
struct Slot {
  // One for each registration, so it is small: the caller's word and the link of the free list share a place, and so do
  // flags.

  /// The caller's word; of a free slot, the next free one.
  private var word: UInt = 0

  /// The file that was registered; nil for the poller's own descriptors, which nobody else closes.
  var identity: OpenFileIdentity?

  /// What the kernel was told.
  var armed: Interest = []

  /// What the caller wants.
  var wanted: Interest = []

  /// Whether the slot stands in the list of noted changes. A slot that is freed meanwhile keeps its place there.
  var isDirty = false

  /// The registered descriptor; negative while the slot is free.
  var descriptor: CInt = -1

  /// Counts the tokens that this slot has used up: a report under an older one is stale.
  var generation: UInt32 = 0

  /// Where the last report of the slot was put: it is in the present harvest if it is the slot's that stands there.
  var reportPosition: UInt32 = 0

  var isUsed: Bool { descriptor >= 0 }

  var context: UInt {
    get { word }
    set { word = newValue }
  }

  var nextFree: UInt32 {
    get { UInt32(truncatingIfNeeded: word) }
    set { word = UInt(newValue) }
  }
}
