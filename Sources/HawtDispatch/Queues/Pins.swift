internal import CLinux

/// Queues that must not go before the topology lock has been released.
///
/// The tree's links own nothing, and whoever follows one may count a reference for a moment, as the compiler sees fit.
/// Were that the last one, the queue's deinitializer would wait for the lock under the lock. So a reference is taken
/// first, and given back without the lock. A queue whose deinitializer has begun needs none: it waits for the lock to
/// be unlinked, so its memory stays.
struct Pins {
  private var few: (UInt, UInt, UInt) = (0, 0, 0)
  private var more: [UInt] = []

  var isUnused: Bool { few.0 == 0 && more.capacity == 0 }
  var capacity: Int { more.capacity }

  /// Keeps a linked queue alive. The topology lock is held.
  /// - Returns: false if its deinitializer has begun: then nobody must refer to it any more.
  @discardableResult
  mutating func add(_ queue: Unmanaged<SerialCore>?) -> Bool {
    guard let object = queue?.toOpaque(), hawt_retain_if_alive(object) else { return false }
    let bits = UInt(bitPattern: object)
    if few.0 == 0 {
      few.0 = bits
    } else if few.1 == 0 {
      few.1 = bits
    } else if few.2 == 0 {
      few.2 = bits
    } else {
      more.append(bits)
    }
    return true
  }

  /// Gives every reference back. The lock is not held.
  mutating func release() {
    Pins.release(few.0)
    Pins.release(few.1)
    Pins.release(few.2)
    few = (0, 0, 0)
    for bits in more { Pins.release(bits) }
    more.removeAll(keepingCapacity: true)
  }

  private static func release(_ bits: UInt) {
    guard let object = UnsafeRawPointer(bitPattern: bits) else { return }
    Unmanaged<SerialCore>.fromOpaque(object).release()
  }
}
