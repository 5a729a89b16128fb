import Glibc

/// Owns an open socket until it is taken over: whatever fails on the way there, the descriptor is closed.
struct OwnedDescriptor: ~Copyable {
  /// Negative once it is given away.
  private(set) var number: CInt
  let system: any SocketSystem

  /// Opens a socket for `address`.
  init(opening kind: SocketKind, for address: SocketAddress, system: any SocketSystem) throws(SocketError) {
    let number = system.open(address.family, kind)
    guard number >= 0 else { throw .system(.open, subject: "a socket for \(address)", errno: -number) }
    self.init(adopting: number, system: system)
  }

  /// Becomes the owner of a socket that is open already.
  init(adopting number: CInt, system: any SocketSystem) {
    self.number = number
    self.system = system
  }

  deinit {
    if number >= 0 { system.close(number) }
  }

  /// Gives the descriptor away; from now on the caller closes it.
  consuming func release() -> CInt {
    let released = number
    number = -1
    return released
  }

  func set(_ option: SocketOption, _ value: CInt = 1) throws(SocketError) {
    let result = system.set(option, value, on: number)
    guard result >= 0 else { throw .system(.setOption, subject: "descriptor \(number)", errno: -result) }
  }

  func bind(_ address: SocketAddress) throws(SocketError) {
    let result = system.bind(number, address)
    guard result >= 0 else { throw .system(.bind, subject: "\(address)", errno: -result) }
  }

  /// Where the socket really is: the system has chosen the port if it was 0.
  func boundAddress() throws(SocketError) -> SocketAddress {
    guard let address = system.localAddress(number) else {
      throw .system(.inspect, subject: "descriptor \(number)", errno: EINVAL)
    }
    return address
  }
}
