import Glibc
import HawtSockets
import Testing

/// A listener on bare system calls, so that a test decides when it accepts, and whether.
final class PlainListener {
  let address: SocketAddress
  private let descriptor: CInt

  init(backlog: CInt = 64) throws {
    let system = SocketSystems.kernel
    descriptor = system.open(.ipv4, .stream)
    try #require(system.bind(descriptor, .loopback()) == 0)
    try #require(system.listen(descriptor, backlog: backlog) == 0)
    address = try #require(system.localAddress(descriptor))
  }

  deinit { SocketSystems.kernel.close(descriptor) }

  /// The next connection that waits; there must be one.
  func accept() throws -> PlainPeer {
    var peer: SocketAddress?
    let accepted = SocketSystems.kernel.accept(descriptor, peer: &peer)
    try #require(accepted >= 0, "accept: errno \(-accepted)")
    return PlainPeer(adopting: accepted)
  }
}
