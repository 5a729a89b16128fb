/// The registrations of a poller: slots in one growable array, the free ones in a list, an index by descriptor, and the
/// list of slots whose interest has changed since the last wait.
///
/// Everything is behind plain pointers, because the loop over ready events reads it and must neither count references nor
/// check for exclusive access.
struct SlotTable: ~Copyable {
  /// No slot.
  static var none: UInt32 { .max }

  private(set) var slots: UnsafeMutablePointer<Slot>
  /// The slots that have ever been used are below this.
  private(set) var count: UInt32 = 0
  private var capacity: UInt32

  private var firstFree = SlotTable.none

  private var slotByDescriptor: UnsafeMutablePointer<UInt32>
  private var descriptorCapacity: Int

  /// Room for every slot, since each stands in it once at most.
  private var dirty: UnsafeMutablePointer<UInt32>
  private(set) var dirtyCount = 0

  init() {
    capacity = 64
    slots = .allocate(capacity: Int(capacity))
    dirty = .allocate(capacity: Int(capacity))
    descriptorCapacity = 64
    slotByDescriptor = .allocate(capacity: descriptorCapacity)
    slotByDescriptor.initialize(repeating: SlotTable.none, count: descriptorCapacity)
  }

  deinit {
    slots.deallocate()
    dirty.deallocate()
    slotByDescriptor.deallocate()
  }

  /// The slot of a registered descriptor, or `none`. O(1)
  func slot(for descriptor: CInt) -> UInt32 {
    guard descriptor >= 0, Int(descriptor) < descriptorCapacity else { return SlotTable.none }
    return slotByDescriptor[Int(descriptor)]
  }

  /// Whether a slot is in use. O(1)
  func isUsed(_ slot: UInt32) -> Bool {
    slot < count && slots[Int(slot)].isUsed
  }

  /// The token under which a slot is registered now. O(1)
  func token(of slot: UInt32) -> Token {
    Token(slot: slot, generation: slots[Int(slot)].generation)
  }

  /// Takes a free slot for a descriptor that has none. Amortized O(1)
  mutating func take(for descriptor: CInt) -> UInt32 {
    let index: UInt32
    if firstFree != SlotTable.none {
      index = firstFree
      firstFree = slots[Int(index)].nextFree
    } else {
      if count == capacity { grow() }
      index = count
      (slots + Int(index)).initialize(to: Slot())
      count += 1
    }
    slots[Int(index)].descriptor = descriptor
    if Int(descriptor) >= descriptorCapacity { growIndex(for: descriptor) }
    slotByDescriptor[Int(descriptor)] = index
    return index
  }

  /// Gives a slot back; its tokens are stale from now on. O(1)
  mutating func free(_ index: UInt32) {
    let slot = slots + Int(index)
    slotByDescriptor[Int(slot.pointee.descriptor)] = SlotTable.none
    slot.pointee.descriptor = -1
    slot.pointee.generation &+= 1
    slot.pointee.armed = []
    slot.pointee.wanted = []
    slot.pointee.identity = nil
    slot.pointee.nextFree = firstFree
    firstFree = index
  }

  /// Notes that a slot's interest has changed. O(1)
  mutating func markDirty(_ index: UInt32) {
    guard !slots[Int(index)].isDirty else { return }
    slots[Int(index)].isDirty = true
    dirty[dirtyCount] = index
    dirtyCount += 1
  }

  /// Takes one slot off the list of changes; there must be one. O(1)
  mutating func takeDirty() -> UInt32 {
    dirtyCount -= 1
    let index = dirty[dirtyCount]
    slots[Int(index)].isDirty = false
    return index
  }

  /// By a quarter only: each registration is moved four times on average, which is nothing beside the system calls that it
  /// takes, and what stands empty is a tenth on average.
  private static func larger(_ capacity: Int) -> Int { capacity + capacity / 4 }

  private mutating func grow() {
    let larger = Self.larger(Int(capacity))
    slots = Self.moved(slots, count: Int(count), capacity: larger)
    dirty = Self.moved(dirty, count: dirtyCount, capacity: larger)
    capacity = UInt32(larger)
  }

  private mutating func growIndex(for descriptor: CInt) {
    let larger = max(Self.larger(descriptorCapacity), Int(descriptor) + 1)
    slotByDescriptor = Self.moved(slotByDescriptor, count: descriptorCapacity, capacity: larger)
    (slotByDescriptor + descriptorCapacity).initialize(
      repeating: SlotTable.none, count: larger - descriptorCapacity)
    descriptorCapacity = larger
  }

  private static func moved<T>(
    _ old: UnsafeMutablePointer<T>, count: Int, capacity: Int
  ) -> UnsafeMutablePointer<T> {
    let new = UnsafeMutablePointer<T>.allocate(capacity: capacity)
    new.moveInitialize(from: old, count: count)
    old.deallocate()
    return new
  }
}
