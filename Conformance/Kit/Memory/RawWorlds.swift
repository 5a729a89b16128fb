import Polling

/// Connections under logical names, on which a raw history is played: those of the system, or those of a `MemoryWorld`.
protocol RawWorld {
  /// The number of the near end.
  func number(of connection: Int) -> CInt
  /// The peer writes.
  func feed(_ connection: Int)
  /// The near end reads all that is there.
  func drain(_ connection: Int)
  /// The near end writes until there is no room; nothing, on a pipe.
  func fill(_ connection: Int)
  /// The peer reads all that is there.
  func relieve(_ connection: Int)
  /// The peer ends what it sends; nothing, on a pipe.
  func halfClose(_ connection: Int)
  /// The peer is gone.
  func hangUp(_ connection: Int)
}

/// Connections of the running system.
struct SystemConnections: RawWorld {
  private let kinds: [ConnectionKind]
  private let ends: [Ends]

  init(_ kinds: [ConnectionKind]) throws {
    self.kinds = kinds
    ends = try kinds.map { try $0 == .stream ? Ends.unixStream() : Ends.pipe() }
  }

  func number(of connection: Int) -> CInt { ends[connection].near.number }
  func feed(_ connection: Int) { ends[connection].far.send([1]) }
  func drain(_ connection: Int) { ends[connection].near.receiveAll() }
  func fill(_ connection: Int) { if kinds[connection] == .stream { ends[connection].near.fill() } }
  func relieve(_ connection: Int) { if kinds[connection] == .stream { ends[connection].far.receiveAll() } }
  func halfClose(_ connection: Int) { if kinds[connection] == .stream { ends[connection].far.shutDownWriting() } }
  func hangUp(_ connection: Int) { ends[connection].far.close() }
}

/// Connections in memory.
struct MemoryConnections: RawWorld {
  let world = MemoryWorld()
  private let kinds: [ConnectionKind]
  private let numbers: [CInt]

  init(_ kinds: [ConnectionKind]) {
    self.kinds = kinds
    numbers = kinds.map(world.open)
  }

  func number(of connection: Int) -> CInt { numbers[connection] }

  func feed(_ connection: Int) {
    world.change(numbers[connection]) { if !$0.peerHasEnded && !$0.peerHasClosed { $0.hasBytes = true } }
  }

  func drain(_ connection: Int) { world.change(numbers[connection]) { $0.hasBytes = false } }

  func fill(_ connection: Int) {
    world.change(numbers[connection]) { if $0.kind == .stream && !$0.peerHasClosed { $0.isFull = true } }
  }

  func relieve(_ connection: Int) {
    world.change(numbers[connection]) { if !$0.peerHasClosed { $0.isFull = false } }
  }

  func halfClose(_ connection: Int) {
    world.change(numbers[connection]) { if $0.kind == .stream { $0.peerHasEnded = true } }
  }

  func hangUp(_ connection: Int) { world.change(numbers[connection]) { $0.peerHasClosed = true } }
}
