/// What a backend keeps for a registration and hands back with its readiness.
///
/// It names a slot of the poller's table and that slot's generation, packed into the 64 bits that the kernel carries for
/// a descriptor. A registration that is gone leaves a token behind whose generation no longer fits, so the shared code
/// recognises a late report without looking anything up (rule `S8`).
public struct Token: Sendable, Hashable {
  /// Generation in the upper half, slot in the lower.
  public let rawValue: UInt64

  /// Takes back a token that was handed out as 64 bits.
  @inlinable
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// Packs a slot and its generation.
  @inlinable
  public init(slot: UInt32, generation: UInt32) {
    rawValue = UInt64(generation) << 32 | UInt64(slot)
  }

  /// The slot's index, dense from zero: a backend may use it to index a table of its own.
  @inlinable
  public var slot: UInt32 { UInt32(truncatingIfNeeded: rawValue) }

  /// How often the slot had been given away before.
  @inlinable
  public var generation: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
}
