import Glibc
import Polling

private let both: Interest = [.read, .write]

extension DescriptorState {
  /// Connections over TCP, and how they end.
  static let tcpStates = [
    DescriptorState("TCP: idle", .write) { try $0.ends(.tcp).near },
    DescriptorState("TCP: bytes have come", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("TCP: no room", []) { stage in
      let ends = try stage.ends(.tcp)
      stage.fill(ends.near)
      return ends.near
    },
    DescriptorState("TCP: bytes have come, no room", .read) { stage in
      let ends = try stage.ends(.tcp)
      stage.fill(ends.near)
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("TCP: the peer has ended its half", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.shutDownWriting()
      return ends.near
    },
    DescriptorState("TCP: the peer has ended its half, no room", .read) { stage in
      let ends = try stage.ends(.tcp)
      stage.fill(ends.near)
      ends.far.shutDownWriting()
      return ends.near
    },
    DescriptorState("TCP: own half ended", .write) { stage in
      let ends = try stage.ends(.tcp)
      ends.near.shutDownWriting()
      return ends.near
    },
    DescriptorState("TCP: own half ended, bytes have come", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.near.shutDownWriting()
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("TCP: both halves ended", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.near.shutDownWriting()
      ends.far.shutDownWriting()
      return ends.near
    },
    DescriptorState("TCP: reading shut down", both) { stage in
      let ends = try stage.ends(.tcp)
      _ = shutdown(ends.near.number, CInt(SHUT_RD))
      return ends.near
    },
    DescriptorState("TCP: the peer has closed", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.close()
      return ends.near
    },
    DescriptorState("TCP: reset", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.resetOnClose()
      ends.far.close()
      return ends.near
    },
    DescriptorState("TCP: reset, no room", both) { stage in
      let ends = try stage.ends(.tcp)
      stage.fill(ends.near)
      ends.far.resetOnClose()
      ends.far.close()
      return ends.near
    },
    DescriptorState("TCP: bytes have come, then a reset", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.send([1])
      ends.far.resetOnClose()
      ends.far.close()
      return ends.near
    },
    DescriptorState("TCP: an out-of-band byte has come", .write) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.sendOutOfBand(1)
      return ends.near
    },
    DescriptorState("TCP: an out-of-band byte has come, kept in line", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.near.set(SO_OOBINLINE)
      ends.far.sendOutOfBand(1)
      return ends.near
    },
    DescriptorState("TCP: bytes have come, then an out-of-band one", both) { stage in
      let ends = try stage.ends(.tcp)
      ends.far.send([1])
      ends.far.sendOutOfBand(1)
      return ends.near
    },
  ]

  /// TCP before there is a connection.
  static let tcpBeginnings = [
    DescriptorState("TCP: never connected", both) { $0.keep(try Descriptor.tcpSocket()) },
    DescriptorState("TCP: connecting", []) { stage in
      let listener = stage.keep(try Descriptor.tcpListener())
      // The queue of one that takes no connection is full after the first: whoever comes then is left waiting.
      _ = listen(listener.number, 0)
      var address = try listener.localAddress()
      var last = listener
      for _ in 0..<3 {
        let socket = stage.keep(try Descriptor.tcpSocket())
        _ = withAddress(&address) { connect(socket.number, $0, $1) }
        last = socket
      }
      return last
    },
    DescriptorState("TCP: refused", both) { $0.keep(try Descriptor.refusedConnection()) },
    DescriptorState("TCP: listening", []) { $0.keep(try Descriptor.tcpListener()) },
    DescriptorState("TCP: listening, a connection waits", .read) { stage in
      let listener = stage.keep(try Descriptor.tcpListener())
      let socket = stage.keep(try Descriptor.tcpSocket())
      var address = try listener.localAddress()
      _ = withAddress(&address) { connect(socket.number, $0, $1) }
      return listener
    },
    DescriptorState("TCP: listening, shut down", both) { stage in
      let listener = stage.keep(try Descriptor.tcpListener())
      _ = shutdown(listener.number, CInt(SHUT_RDWR))
      return listener
    },
  ]

  /// UDP.
  static let datagramStates = [
    DescriptorState("UDP: not bound", .write) { $0.keep(try Descriptor.udpSocket()) },
    DescriptorState("UDP: idle", .write) { $0.keep(try Ends.udp()).near },
    DescriptorState("UDP: a datagram has come", both) { stage in
      let ends = stage.keep(try Ends.udp())
      ends.far.send([1])
      return ends.near
    },
    DescriptorState("UDP: an empty datagram has come", both) { stage in
      let ends = stage.keep(try Ends.udp())
      ends.far.send([])
      return ends.near
    },
    DescriptorState("UDP: nobody is at the peer's port", both) { stage in
      let ends = stage.keep(try Ends.udp())
      ends.far.close()
      ends.near.send([1])
      return ends.near
    },
    DescriptorState("UDP: reading shut down", both) { stage in
      let ends = stage.keep(try Ends.udp())
      _ = shutdown(ends.near.number, CInt(SHUT_RD))
      return ends.near
    },
    DescriptorState("UDP: shut down", both) { stage in
      let ends = stage.keep(try Ends.udp())
      _ = shutdown(ends.near.number, CInt(SHUT_RDWR))
      return ends.near
    },
  ]
}
