/// One registration in a poller's table.
///
/// ```
///   free ──register──▶ used ──unregister──▶ free, under the next generation
/// ```
/// While it is used, `armed` is what the kernel was told and `wanted` what it will be told on the way into the next wait.
struct Slot {
  /// The registered descriptor; negative while the slot is free.
  var descriptor: CInt = -1

  /// Counts the tokens that this slot has used up: a report under an older one is stale.
  var generation: UInt32 = 0

  /// What the kernel was told.
  var armed: Interest = []

  /// What the caller wants.
  var wanted: Interest = []

  /// Whether the slot stands in the list of noted changes. A slot that is freed meanwhile keeps its place there.
  var isDirty = false

  /// The caller's word.
  var context: UInt = 0

  /// The file that was registered; nil for the poller's own descriptors, which nobody else closes.
  var identity: OpenFileIdentity?

  /// The wait that last reported the slot, and where the report stands in its harvest.
  var reportedInWait: UInt64 = 0
  var reportPosition = 0

  /// The next free slot while this one is free.
  var nextFree: UInt32 = SlotTable.none

  var isUsed: Bool { descriptor >= 0 }
}
