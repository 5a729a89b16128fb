import Glibc

/// How a socket cuts what it carries.
enum SocketType: Sendable {
  case stream, datagram, seqpacket

  /// The number for `socket(2)`, non-blocking and close-on-exec.
  var flags: CInt {
    let type: CInt =
      switch self {
      case .stream: CInt(SOCK_STREAM.rawValue)
      case .datagram: CInt(SOCK_DGRAM.rawValue)
      case .seqpacket: CInt(SOCK_SEQPACKET.rawValue)
      }
    return type | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
  }
}

extension Ends {
  static func unixPair(_ type: SocketType) throws -> Ends {
    var numbers: [CInt] = [-1, -1]
    try granted(socketpair(AF_UNIX, type.flags, 0, &numbers), "pair of sockets")
    return Ends(near: Descriptor(numbers[0]), far: Descriptor(numbers[1]))
  }

  /// Two sockets on the loopback address, each connected to the other.
  static func udp() throws -> Ends {
    let near = try Descriptor.udpSocket(isBound: true)
    let far = try Descriptor.udpSocket(isBound: true)
    for (socket, peer) in [(near, far), (far, near)] {
      var address = try peer.localAddress()
      try granted(withAddress(&address) { connect(socket.number, $0, $1) }, "connected UDP socket")
    }
    return Ends(near: near, far: far)
  }
}

extension Descriptor {
  static func udpSocket(isBound: Bool = false) throws -> Descriptor {
    let socket = Descriptor(try granted(socket(AF_INET, SocketType.datagram.flags, 0), "UDP socket"))
    guard isBound else { return socket }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try granted(withAddress(&address) { bind(socket.number, $0, $1) }, "UDP port of the loopback address")
    return socket
  }

  static func unixSocket(_ type: SocketType) throws -> Descriptor {
    Descriptor(try granted(socket(AF_UNIX, type.flags, 0), "Unix socket"))
  }

  /// Sends a byte that TCP marks as urgent.
  func sendOutOfBand(_ byte: UInt8) {
    var byte = byte
    _ = Glibc.send(number, &byte, 1, CInt(MSG_OOB) | CInt(MSG_NOSIGNAL))
  }

  /// Sets an option of the socket itself.
  func set(_ option: CInt) {
    var on: CInt = 1
    setsockopt(number, SOL_SOCKET, option, &on, socklen_t(MemoryLayout<CInt>.size))
  }

  /// Connects a Unix socket to one that listens at a name of the kernel's choice.
  func connectUnix(to listener: Descriptor) throws {
    var address = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let code = withUnsafeMutablePointer(to: &address) {
      // The kernel writes and reads no more of the storage than `size` says, whatever type of address it holds.
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> CInt in
        let named = getsockname(listener.number, pointer, &size)
        return named < 0 ? named : connect(number, pointer, size)
      }
    }
    try granted(code, "connection to a Unix socket")
  }
}

extension Stage {
  /// A Unix socket that listens. Its name is the kernel's choice, and in no file system.
  func unixListener(_ type: SocketType) throws -> Descriptor {
    let listener = keep(try Descriptor.unixSocket(type))
    var address = sockaddr()
    address.sa_family = sa_family_t(AF_UNIX)
    // A name of no length is what asks the kernel to choose one.
    let code = bind(listener.number, &address, socklen_t(MemoryLayout<sa_family_t>.size))
    try granted(code, "name for a Unix socket")
    try granted(listen(listener.number, 16), "listening Unix socket")
    return listener
  }
}
