/// A registration that the system gave up or refused on the way into a wait, where no caller could catch an error.
///
/// The slot is still the caller's, with an empty interest, until `unregister`; its number may be set anew, to try again.
package struct RegistrationFailure: Sendable {
  /// The registration.
  package let slot: SlotID

  /// The caller's word.
  package let context: UInt

  /// What was asked and what the system said.
  package let error: BackendError
}
