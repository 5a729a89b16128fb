import Glibc

/// Where a socket is, or what it talks to: an IPv4 or IPv6 address with a port, or a Unix path.
///
/// Addresses are numeric: nothing here resolves a name, because that would block a worker.
public struct SocketAddress: Sendable, Hashable {
  enum Storage: Sendable, Hashable {
    /// The four bytes in network order, as `in_addr` holds them.
    case ipv4(UInt32, port: UInt16)
    /// The sixteen bytes, split in two words of memory order.
    case ipv6(UInt64, UInt64, port: UInt16, scope: UInt32)
    /// A path, as bytes: that of another process need not be text, and a reply is to reach it. One that begins with NUL is
    /// in Linux's abstract name space.
    case unix([UInt8])
    /// A Unix socket that was never bound.
    case unnamed
  }

  /// What kind of address it is.
  public enum Family: Sendable, Hashable, CaseIterable {
    case ipv4, ipv6, unix
  }

  let storage: Storage

  init(storage: Storage) { self.storage = storage }

  /// A numeric address: `127.0.0.1`, `::1`, `fe80::1%eth0` (or `%2`, the interface's number).
  ///
  /// - Parameters:
  ///   - host: the address in numbers.
  ///   - port: in host order; 0 lets the system choose when it is bound.
  /// - Throws: `SocketError.invalidAddress`, names of hosts included.
  public init(_ host: String, port: UInt16) throws(SocketError) {
    // The system's functions stop at a NUL: what follows it would be ignored, and not refused.
    let isText = !host.utf8.contains(0)
    var four = in_addr()
    if isText, inet_pton(AF_INET, host, &four) == 1 {
      storage = .ipv4(four.s_addr, port: port)
      return
    }
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    var six = in6_addr()
    guard isText, inet_pton(AF_INET6, String(parts[0]), &six) == 1 else {
      throw .invalidAddress(host, why: "give an IPv4 or IPv6 address in numbers; names are not resolved")
    }
    var scope: UInt32 = 0
    if parts.count == 2 {
      scope = UInt32(parts[1]) ?? if_nametoindex(String(parts[1]))
      guard scope != 0 else { throw .invalidAddress(host, why: "no network interface '\(parts[1])'") }
    }
    let words = withUnsafeBytes(of: six) { bytes in
      (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    storage = .ipv6(words.0, words.1, port: port, scope: scope)
  }

  /// A Unix socket's path, at most 107 bytes. One that begins with NUL names no file but an entry in Linux's abstract
  /// name space, which is gone with its socket.
  ///
  /// - Throws: `SocketError.invalidAddress` when it is empty, too long, or has a NUL in its middle.
  public init(unixPath path: String) throws(SocketError) {
    let bytes = path.utf8
    guard !bytes.isEmpty else { throw .invalidAddress(path, why: "a Unix path must not be empty") }
    guard bytes.count <= Self.maximumPathLength else {
      throw .invalidAddress(path, why: "a Unix path has at most \(Self.maximumPathLength) bytes: choose a shorter one")
    }
    guard bytes.first == 0 || !bytes.contains(0) else {
      throw .invalidAddress(path, why: "a Unix path has NUL at its beginning only (abstract name space)")
    }
    storage = .unix(Array(bytes))
  }

  /// `127.0.0.1`, reached from this machine only.
  public static func loopback(port: UInt16 = 0) -> SocketAddress {
    .init(storage: .ipv4(UInt32(0x7F00_0001).bigEndian, port: port))
  }

  /// `::1`, reached from this machine only.
  public static func loopbackIPv6(port: UInt16 = 0) -> SocketAddress {
    .init(storage: .ipv6(0, UInt64(1).bigEndian, port: port, scope: 0))
  }

  /// `0.0.0.0`: every IPv4 address of this machine.
  public static func any(port: UInt16) -> SocketAddress { .init(storage: .ipv4(0, port: port)) }

  /// `::`: every IPv6 address of this machine (IPv4 needs a listener, or a datagram socket, of its own).
  public static func anyIPv6(port: UInt16) -> SocketAddress { .init(storage: .ipv6(0, 0, port: port, scope: 0)) }

  /// What kind of address it is.
  public var family: Family {
    switch storage {
    case .ipv4: .ipv4
    case .ipv6: .ipv6
    case .unix, .unnamed: .unix
    }
  }

  /// The port in host order; nil for Unix sockets.
  public var port: UInt16? {
    switch storage {
    case .ipv4(_, let port), .ipv6(_, _, let port, _): port
    case .unix, .unnamed: nil
    }
  }

  /// The path; nil for internet addresses and for Unix sockets that were never bound. What is no UTF-8 in it shows as
  /// replacement characters; the address itself keeps its bytes.
  public var unixPath: String? {
    if case .unix(let path) = storage { String(decoding: path, as: UTF8.self) } else { nil }
  }

  /// The path if it names a file, which stays behind when its socket is closed.
  var filePath: String? {
    if case .unix(let path) = storage, path.first != 0 { unixPath } else { nil }
  }

  static let maximumPathLength = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
}

extension SocketAddress: CustomStringConvertible {
  /// `127.0.0.1:80`, `[::1]:80`, `unix:/run/x`, `unix:@abstract`, `unix:(unnamed)`.
  public var description: String {
    switch storage {
    case .ipv4(let address, let port):
      return "\(Self.text(AF_INET, in_addr(s_addr: address))):\(port)"
    case .ipv6(let high, let low, let port, let scope):
      return "[\(Self.text(AF_INET6, (high, low)))\(scope == 0 ? "" : "%\(scope)")]:\(port)"
    case .unix(let path):
      let isAbstract = path.first == 0
      return "unix:\(isAbstract ? "@" : "")\(String(decoding: path.dropFirst(isAbstract ? 1 : 0), as: UTF8.self))"
    case .unnamed:
      return "unix:(unnamed)"
    }
  }

  /// The numeric form of the bytes of an `in_addr` or `in6_addr`.
  private static func text<Bytes>(_ family: CInt, _ bytes: Bytes) -> String {
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    withUnsafeBytes(of: bytes) { bytes in
      _ = inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count))
    }
    return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
}
