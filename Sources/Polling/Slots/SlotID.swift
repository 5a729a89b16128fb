/// Names a registration of a poller, from `register` to `unregister`.
package struct SlotID: Sendable, Hashable {
  /// The slot's index in the poller's table: small, dense, and given to another registration later.
  package let index: UInt32

  package init(index: UInt32) {
    self.index = index
  }
}
