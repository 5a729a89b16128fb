public import Polling

/// A kind of descriptor in a state that the system can bring it into: a row of the readiness matrix.
public struct DescriptorState: Sendable, CustomStringConvertible {
  /// What a backend must say of it.
  public enum Expectation: Sendable, Hashable {
    /// Ready for this part of what is asked.
    case ready(Interest)
    /// It cannot be registered: the `errno` value.
    case refused(CInt)
    /// Kernels differ; whatever this one says, every backend says.
    case alike
  }

  /// What is done and where it ended, as a phrase: "TCP: bytes have come".
  public let name: String
  /// What a backend must say when both directions are asked. For one direction it is the part of that.
  public let expected: Expectation
  /// Brings a descriptor into the state.
  let make: @Sendable (Stage) throws -> CInt

  init(_ name: String, _ expected: Expectation, _ make: @escaping @Sendable (Stage) throws -> CInt) {
    self.name = name
    self.expected = expected
    self.make = make
  }

  /// A state at which nothing or something is ready.
  init(_ name: String, _ ready: Interest, _ make: @escaping @Sendable (Stage) throws -> Descriptor) {
    self.init(name, .ready(ready)) { try make($0).number }
  }

  /// The name.
  public var description: String { name }

  /// Every row, by kind of descriptor.
  public static let all: [DescriptorState] =
    tcpStates + tcpBeginnings + datagramStates + unixStreamStates + unixPacketStates + pipeStates + fifoStates
    + terminalStates + kernelObjects + processStates + refusedFiles
}
