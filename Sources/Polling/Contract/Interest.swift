/// The two directions in which a descriptor can be watched, and can be ready.
///
/// One type serves both meanings: what was asked for, and what a wait reports. Errors and hang-ups are no directions of
/// their own: they show as readiness of whatever was asked for, and the system call that follows tells which it was
/// (rule `B1`).
public struct Interest: OptionSet, Sendable, Hashable {
  /// The directions as bits: 1 for reading, 2 for writing.
  public let rawValue: UInt8

  /// Makes an interest from its bits.
  @inlinable
  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// A read would not block: bytes, a connection to accept, end of file, or an error to fetch.
  public static let read = Interest(rawValue: 1)

  /// A write would not block, or would fail at once.
  public static let write = Interest(rawValue: 2)
}

extension Interest: CustomStringConvertible {
  /// `read`, `write`, `read+write` or `nothing`.
  public var description: String {
    switch (contains(.read), contains(.write)) {
    case (true, true): "read+write"
    case (true, false): "read"
    case (false, true): "write"
    case (false, false): "nothing"
    }
  }
}

extension Interest {
  /// How many directions this is.
  package var directionCount: Int { rawValue.nonzeroBitCount }
}
