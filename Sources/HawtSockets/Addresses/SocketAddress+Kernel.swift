import Glibc

/// The form in which the kernel takes and gives addresses.
extension SocketAddress {
  /// The `AF_` constant of the address.
  var kernelFamily: CInt {
    switch family {
    case .ipv4: AF_INET
    case .ipv6: AF_INET6
    case .unix: AF_UNIX
    }
  }

  /// Calls `body` with the address as the kernel takes it.
  func withKernelAddress<Value>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Value) -> Value {
    var storage = sockaddr_storage()
    return withUnsafeMutableBytes(of: &storage) { bytes in
      let length = fill(bytes)
      return body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), length)
    }
  }

  /// Writes the address and returns its length. A path that has no terminator in its length would do for Linux, but
  /// not for everything that reads it back.
  private func fill(_ bytes: UnsafeMutableRawBufferPointer) -> socklen_t {
    switch storage {
    case .ipv4(let address, let port):
      var form = sockaddr_in()
      form.sin_family = sa_family_t(AF_INET)
      form.sin_port = port.bigEndian
      form.sin_addr.s_addr = address
      bytes.storeBytes(of: form, as: sockaddr_in.self)
      return socklen_t(MemoryLayout<sockaddr_in>.size)
    case .ipv6(let high, let low, let port, let scope):
      var form = sockaddr_in6()
      form.sin6_family = sa_family_t(AF_INET6)
      form.sin6_port = port.bigEndian
      form.sin6_scope_id = scope
      withUnsafeMutableBytes(of: &form.sin6_addr) { address in
        address.storeBytes(of: high, as: UInt64.self)
        address.storeBytes(of: low, toByteOffset: 8, as: UInt64.self)
      }
      bytes.storeBytes(of: form, as: sockaddr_in6.self)
      return socklen_t(MemoryLayout<sockaddr_in6>.size)
    case .unix(let path):
      bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
      let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
      UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyBytes(from: path)
      let terminator = path.first == 0 ? 0 : 1
      return socklen_t(start + path.count + terminator)
    case .unnamed:
      bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
      return socklen_t(MemoryLayout<sa_family_t>.size)
    }
  }

  /// The address that a call wrote into `storage`; nil for a family that this module does not speak.
  init?(kernel storage: borrowing sockaddr_storage, length: socklen_t) {
    let decoded = withUnsafeBytes(of: storage) { Self.decode($0, length: Int(length)) }
    guard let decoded else { return nil }
    self.storage = decoded
  }

  private static func decode(_ bytes: UnsafeRawBufferPointer, length: Int) -> Storage? {
    guard length >= MemoryLayout<sa_family_t>.size else { return nil }
    switch CInt(bytes.load(as: sa_family_t.self)) {
    case AF_INET:
      let form = bytes.load(as: sockaddr_in.self)
      return .ipv4(form.sin_addr.s_addr, port: UInt16(bigEndian: form.sin_port))
    case AF_INET6:
      let form = bytes.load(as: sockaddr_in6.self)
      return withUnsafeBytes(of: form.sin6_addr) { address in
        .ipv6(
          address.loadUnaligned(as: UInt64.self), address.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
          port: UInt16(bigEndian: form.sin6_port), scope: form.sin6_scope_id)
      }
    case AF_UNIX:
      let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
      guard length > start else { return .unnamed }
      let path = bytes[start..<min(length, bytes.count)]
      let isAbstract = path.first == 0
      let end = isAbstract ? path.endIndex : path.firstIndex(of: 0) ?? path.endIndex
      return .unix(Array(path[..<end]))
    default:
      return nil
    }
  }
}
