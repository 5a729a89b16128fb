/// What one wait found: tokens and their readiness, in the order in which the system told them.
///
/// Its storage is allocated once and reused; appending never allocates. A value belongs to whoever holds the poller's
/// lease (rule `B6`).
public struct ReadyBuffer: ~Copyable {
  /// One report.
  public struct Entry: Sendable, Hashable {
    /// Whose readiness this is.
    public let token: Token

    /// The ready directions, errors and hang-ups as both.
    public let readiness: Interest

    @inlinable
    init(token: Token, readiness: Interest) {
      self.token = token
      self.readiness = readiness
    }
  }

  /// The most reports that a wait can bring.
  public let capacity: Int

  @usableFromInline
  var filled = 0

  @usableFromInline
  let storage: UnsafeMutablePointer<Entry>

  /// Makes an empty buffer.
  ///
  /// - Precondition: `capacity` is positive.
  public init(capacity: Int) {
    precondition(capacity > 0, "a ReadyBuffer must have room for one report at least")
    self.capacity = capacity
    storage = .allocate(capacity: capacity)
  }

  deinit {
    storage.deallocate()
  }

  /// The number of reports. O(1)
  @inlinable
  public var count: Int { filled }

  /// How many more reports fit. O(1)
  @inlinable
  public var remaining: Int { capacity - filled }

  /// The report at a position below ``count``. O(1)
  @inlinable
  public subscript(position: Int) -> Entry {
    precondition(position >= 0 && position < filled, "position out of range")
    return storage[position]
  }

  /// Notes that a registration is ready. O(1), no allocation.
  ///
  /// A full buffer ignores the report: level-triggered, the next wait has it again.
  @inlinable
  public mutating func append(_ token: Token, _ readiness: Interest) {
    guard filled < capacity else { return }
    (storage + filled).initialize(to: Entry(token: token, readiness: readiness))
    filled += 1
  }

  /// Empties the buffer and keeps its storage.
  @inlinable
  public mutating func removeAll() {
    filled = 0
  }
}
