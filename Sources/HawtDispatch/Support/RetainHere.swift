/// Takes a reference here and now. The optimizer moves an ordinary retain past an atomic store, and so out of a lock
/// that is a bit in a word; it can neither see into this function nor move the call.
@inline(never)
@_optimize(none)
func retainHere(_ object: UnsafeRawPointer) { _ = Unmanaged<AnyObject>.fromOpaque(object).retain() }
