#if Libevent
  /// The registrations that one wait reported, in libevent's order. Grows to the largest batch and stays so.
  struct LibeventFiredList: ~Copyable {
    private var storage: UnsafeMutablePointer<UnsafeMutablePointer<LibeventRegistration>>
    private var capacity = 64
    private(set) var count = 0

    init() {
      storage = .allocate(capacity: capacity)
    }

    deinit {
      storage.deallocate()
    }

    subscript(position: Int) -> UnsafeMutablePointer<LibeventRegistration> { storage[position] }

    mutating func append(_ registration: UnsafeMutablePointer<LibeventRegistration>) {
      if count == capacity { grow() }
      (storage + count).initialize(to: registration)
      count += 1
    }

    mutating func removeAll() {
      count = 0
    }

    private mutating func grow() {
      let larger = UnsafeMutablePointer<UnsafeMutablePointer<LibeventRegistration>>.allocate(
        capacity: capacity * 2)
      larger.moveInitialize(from: storage, count: count)
      storage.deallocate()
      storage = larger
      capacity *= 2
    }
  }
#endif
