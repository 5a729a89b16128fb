import Glibc
import Polling

private let both: Interest = [.read, .write]

extension DescriptorState {
  /// Unix sockets that carry a stream.
  static let unixStreamStates = [
    DescriptorState("Unix stream: never connected", both) { $0.keep(try Descriptor.unixSocket(.stream)) },
    DescriptorState("Unix stream: idle", .write) { try $0.pair(.stream).near },
    DescriptorState("Unix stream: bytes have come", both) { stage in
      let ends = try stage.pair(.stream)
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("Unix stream: no room", []) { stage in
      let ends = try stage.pair(.stream)
      stage.fill(ends.near)
      return ends.near
    },
    DescriptorState("Unix stream: bytes have come, no room", .read) { stage in
      let ends = try stage.pair(.stream)
      stage.fill(ends.near)
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("Unix stream: the peer has ended its half", both) { stage in
      let ends = try stage.pair(.stream)
      ends.far.shutDownWriting()
      return ends.near
    },
    DescriptorState("Unix stream: own half ended", .write) { stage in
      let ends = try stage.pair(.stream)
      ends.near.shutDownWriting()
      return ends.near
    },
    DescriptorState("Unix stream: both halves ended", both) { stage in
      let ends = try stage.pair(.stream)
      _ = shutdown(ends.near.number, CInt(SHUT_RDWR))
      return ends.near
    },
    DescriptorState("Unix stream: the peer has closed", both) { stage in
      let ends = try stage.pair(.stream)
      ends.far.close()
      return ends.near
    },
    DescriptorState("Unix stream: the peer has closed, no room", both) { stage in
      let ends = try stage.pair(.stream)
      stage.fill(ends.near)
      ends.far.close()
      return ends.near
    },
    DescriptorState("Unix stream: bytes have come, the peer has closed", both) { stage in
      let ends = try stage.pair(.stream)
      ends.far.send([1])
      ends.far.close()
      return ends.near
    },
    DescriptorState("Unix stream: the peer has closed and left bytes unread", both) { stage in
      let ends = try stage.pair(.stream)
      ends.near.send([1])
      ends.far.close()
      return ends.near
    },
    DescriptorState("Unix stream: listening", []) { stage in try stage.unixListener(.stream) },
    DescriptorState("Unix stream: listening, a connection waits", .read) { stage in
      let listener = try stage.unixListener(.stream)
      try stage.keep(Descriptor.unixSocket(.stream)).connectUnix(to: listener)
      return listener
    },
  ]

  /// Unix sockets that carry packets.
  static let unixPacketStates = [
    DescriptorState("Unix datagram: not connected", .write) { $0.keep(try Descriptor.unixSocket(.datagram)) },
    DescriptorState("Unix datagram: idle", .write) { try $0.pair(.datagram).near },
    DescriptorState("Unix datagram: a datagram has come", both) { stage in
      let ends = try stage.pair(.datagram)
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("Unix datagram: no room", []) { stage in
      let ends = try stage.pair(.datagram)
      stage.fill(ends.near)
      return ends.near
    },
    DescriptorState("Unix datagram: the peer has closed", .alike) { stage in
      let ends = try stage.pair(.datagram)
      ends.far.close()
      return ends.near.number
    },
    DescriptorState("Unix seqpacket: idle", .write) { try $0.pair(.seqpacket).near },
    DescriptorState("Unix seqpacket: a packet has come", both) { stage in
      let ends = try stage.pair(.seqpacket)
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("Unix seqpacket: no room", []) { stage in
      let ends = try stage.pair(.seqpacket)
      stage.fill(ends.near)
      return ends.near
    },
    DescriptorState("Unix seqpacket: the peer has ended its half", both) { stage in
      let ends = try stage.pair(.seqpacket)
      ends.far.shutDownWriting()
      return ends.near
    },
    DescriptorState("Unix seqpacket: the peer has closed", both) { stage in
      let ends = try stage.pair(.seqpacket)
      ends.far.close()
      return ends.near
    },
    DescriptorState("Unix seqpacket: listening, a connection waits", .read) { stage in
      let listener = try stage.unixListener(.seqpacket)
      try stage.keep(Descriptor.unixSocket(.seqpacket)).connectUnix(to: listener)
      return listener
    },
  ]
}
