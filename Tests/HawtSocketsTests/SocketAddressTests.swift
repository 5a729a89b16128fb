import HawtSockets
import Testing

@Suite("Socket addresses")
struct SocketAddressTests {
  @Test(
    "A numeric address is read and written alike",
    arguments: [
      ("127.0.0.1", UInt16(80), "127.0.0.1:80", SocketAddress.Family.ipv4),
      ("255.255.255.255", 65535, "255.255.255.255:65535", .ipv4),
      ("::1", 7, "[::1]:7", .ipv6),
      ("2001:db8::ff00:42:8329", 443, "[2001:db8::ff00:42:8329]:443", .ipv6),
      ("::ffff:10.0.0.1", 1, "[::ffff:10.0.0.1]:1", .ipv6),
      ("fe80::1%1", 9, "[fe80::1%1]:9", .ipv6),
      ("fe80::1%lo", 9, "[fe80::1%1]:9", .ipv6),
    ])
  func parses(host: String, port: UInt16, text: String, family: SocketAddress.Family) throws {
    let address = try SocketAddress(host, port: port)
    #expect(address.description == text)
    #expect(address.port == port)
    #expect(address.family == family)
    #expect(address.unixPath == nil)
  }

  @Test(
    "What is no numeric address is refused, names included",
    arguments: [
      "", "localhost", "127.0.0.1:80", "127.1", "1.2.3.256", ":::", "[::1]", "fe80::1%nosuch0", "::1\0", "%",
      "127.0.0.1\0", "127.0.0.1\0.example", "::1%lo\0.example",
    ])
  func refusesHosts(host: String) {
    #expect {
      try SocketAddress(host, port: 1)
    } throws: { error in
      guard case .invalidAddress(host, _) = error as? SocketError else { return false }
      return true
    }
  }

  @Test("Shorthands are the addresses that they name")
  func shorthands() throws {
    #expect(SocketAddress.loopback(port: 5) == (try SocketAddress("127.0.0.1", port: 5)))
    #expect(SocketAddress.loopbackIPv6(port: 5) == (try SocketAddress("::1", port: 5)))
    #expect(SocketAddress.any(port: 5) == (try SocketAddress("0.0.0.0", port: 5)))
    #expect(SocketAddress.anyIPv6(port: 5) == (try SocketAddress("::", port: 5)))
  }

  @Test("Unix paths: files, abstract names, and what is refused")
  func unixPaths() throws {
    #expect(try SocketAddress(unixPath: "/run/x").description == "unix:/run/x")
    #expect(try SocketAddress(unixPath: "\0name").description == "unix:@name")
    #expect(try SocketAddress(unixPath: String(repeating: "p", count: 107)).unixPath?.count == 107)
    for path in ["", String(repeating: "p", count: 108), "a\0b", "ends\0"] {
      #expect(throws: SocketError.self) { try SocketAddress(unixPath: path) }
    }
  }

  @Test("The kernel gives back the address that it was given")
  func roundTrip() throws {
    let path = freshPath()
    let addresses = [
      SocketAddress.loopback(), .loopbackIPv6(), try SocketAddress(unixPath: path),
      try SocketAddress(unixPath: "\0\(path)"),
    ]
    let system = SocketSystems.kernel
    for address in addresses {
      let descriptor = system.open(address.family, .stream)
      defer { system.close(descriptor) }
      try #require(system.bind(descriptor, address) == 0)
      let bound = try #require(system.localAddress(descriptor))
      #expect(bound.family == address.family)
      #expect(bound.unixPath == address.unixPath)
      if address.family != .unix { #expect(bound.port != 0) }
    }
    system.removeFile(path)
  }

  @Test("Errors say what was asked, what the system said, and what to do")
  func errors() {
    let text = SocketError.system(.bind, subject: "127.0.0.1:80", errno: 98).description
    #expect(text.contains("bind 127.0.0.1:80"))
    #expect(text.contains("errno 98"))
    #expect(text.contains("choose another port"))
  }
}
