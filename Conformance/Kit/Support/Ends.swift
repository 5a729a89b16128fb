import CLinux
import Glibc

/// Two ends of a connection; checks put their sources on the near one and play the peer with the far one.
struct Ends: Sendable {
  let near: Descriptor
  let far: Descriptor

  /// The kinds on which both ends read and write.
  enum Kind: String, Sendable, CaseIterable {
    case unixStream = "Unix stream"
    case tcp = "TCP"
  }

  init(_ kind: Kind) throws {
    switch kind {
    case .unixStream: self = try .unixStream()
    case .tcp: self = try .tcp()
    }
  }

  private init(near: CInt, far: CInt) {
    for number in [near, far] { makeTame(number) }
    self.near = Descriptor(near)
    self.far = Descriptor(far)
  }

  private static let streamFlags =
    CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)

  static func unixStream() throws -> Ends {
    var numbers: [CInt] = [-1, -1]
    try granted(socketpair(AF_UNIX, streamFlags, 0, &numbers), "pair of sockets")
    return Ends(near: numbers[0], far: numbers[1])
  }

  /// The near end reads what the far end writes.
  static func pipe() throws -> Ends {
    var numbers: [CInt] = [-1, -1]
    try granted(Glibc.pipe(&numbers), "pipe")
    return Ends(near: numbers[0], far: numbers[1])
  }

  static func tcp() throws -> Ends {
    let listener = try Descriptor.tcpListener()
    let far = try Descriptor.tcpSocket()
    var address = try listener.localAddress()
    let code = withAddress(&address) { connect(far.number, $0, $1) }
    guard code == 0 || errno == EINPROGRESS else { throw CheckFailure("no loopback connection: errno \(errno)") }
    var waiting = pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)
    poll(&waiting, 1, 10_000)
    let near = try granted(accept(listener.number, nil, nil), "accepted connection")
    makeTame(near)
    return Ends(near: Descriptor(near), far: far)
  }

  init(near: Descriptor, far: Descriptor) {
    self.near = near
    self.far = far
  }
}

extension Descriptor {
  /// A counter that is readable while it is not zero.
  static func event() throws -> Descriptor {
    Descriptor(try granted(eventfd(0, O_NONBLOCK | O_CLOEXEC), "eventfd"))
  }

  static func tcpSocket() throws -> Descriptor {
    let flags = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    return Descriptor(try granted(socket(AF_INET, flags, 0), "TCP socket"))
  }

  /// A listener on a free port of the loopback address.
  static func tcpListener() throws -> Descriptor {
    let listener = try tcpSocket()
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try granted(withAddress(&address) { bind(listener.number, $0, $1) }, "port of the loopback address")
    try granted(listen(listener.number, 16), "listener")
    return listener
  }

  func localAddress() throws -> sockaddr_in {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &size) }
    }
    try granted(code, "address of a socket")
    return address
  }

  /// Starts a connection to an address at which nobody listens.
  static func refusedConnection() throws -> Descriptor {
    // Bound and not listening: the port is taken, so that nobody else can begin to listen there meanwhile.
    let holder = try tcpSocket()
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try granted(withAddress(&address) { bind(holder.number, $0, $1) }, "port of the loopback address")
    address = try holder.localAddress()
    let socket = try tcpSocket()
    _ = withAddress(&address) { connect(socket.number, $0, $1) }
    return socket
  }
}

/// Non-blocking and close-on-exec, as the library's users have theirs.
func makeTame(_ number: CInt) {
  _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
  _ = fcntl(number, F_SETFD, FD_CLOEXEC)
}

@discardableResult
func granted(_ code: CInt, _ what: String) throws -> CInt {
  guard code >= 0 else { throw CheckFailure("the system gave the kit no \(what): errno \(errno)") }
  return code
}

func withAddress<Value>(
  _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
) -> Value {
  withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
  }
}
