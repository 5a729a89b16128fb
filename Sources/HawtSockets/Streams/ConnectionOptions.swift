internal import HawtDispatch

/// How a connection behaves. Each value has a default, so that `.init()` is a good one.
public struct ConnectionOptions: Sendable, Hashable {
  /// When back-pressure begins and ends, in bytes that wait to be written.
  public struct WaterMarks: Sendable, Hashable {
    /// Above this many pending bytes, the peer is held back.
    public let high: Int
    /// At this many or fewer, it is let go on.
    public let low: Int

    /// - Precondition: `0 ≤ low ≤ high`.
    public init(high: Int, low: Int) {
      trap(unless: low >= 0 && low <= high, "WaterMarks: low is \(low) and high is \(high); 0 ≤ low ≤ high must hold")
      self.high = high
      self.low = low
    }
  }

  // The flags stand behind the marks, which leaves no gaps.

  /// When `pausesReadsWhileWriting` acts and the drain handler is called.
  public var waterMarks: WaterMarks
  /// Small writes leave at once (`TCP_NODELAY`); no effect on Unix sockets.
  public var noDelay: Bool
  /// Whether reading pauses by itself while more than `waterMarks.high` bytes wait to be written, until no more than
  /// `waterMarks.low` do: a peer that sends faster than it receives then fills its own buffers and not this process.
  public var pausesReadsWhileWriting: Bool
  /// Whether the connection stays open for writing when the peer has finished sending. If not, it closes after writing
  /// what is pending.
  public var allowsHalfOpen: Bool

  /// See the properties.
  public init(
    noDelay: Bool = true, waterMarks: WaterMarks = .init(high: 256 * 1024, low: 64 * 1024),
    pausesReadsWhileWriting: Bool = true, allowsHalfOpen: Bool = false
  ) {
    self.noDelay = noDelay
    self.waterMarks = waterMarks
    self.pausesReadsWhileWriting = pausesReadsWhileWriting
    self.allowsHalfOpen = allowsHalfOpen
  }
}
