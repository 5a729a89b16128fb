/// A registration that a wait reported.
package struct Ready: Sendable {
  /// The registration.
  package let slot: SlotID

  /// The ready directions, cut down to what was asked (rule `B1`). Empty if the registration was taken out, or renewed,
  /// after the wait: pass over it (rule `S8`).
  package internal(set) var readiness: Interest

  /// The caller's word, as it was when the wait returned.
  package let context: UInt
}
