import CLinux
import Glibc

/// The systems that this module brings along.
public enum SocketSystems {
  /// The kernel's sockets: what every socket uses unless it is given another system.
  public static let kernel: any SocketSystem = KernelSockets()
}

/// Each call of the seam as a system call, with what the calls have in common: no signals, no interruptions.
private final class KernelSockets: SocketSystem {
  func open(_ family: SocketAddress.Family, _ kind: SocketKind) -> CInt {
    let domain =
      switch family {
      case .ipv4: AF_INET
      case .ipv6: AF_INET6
      case .unix: AF_UNIX
      }
    let type = kind == .stream ? SOCK_STREAM : SOCK_DGRAM
    return orError(socket(domain, CInt(type.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0))
  }

  func set(_ option: SocketOption, _ value: CInt, on descriptor: CInt) -> CInt {
    let (level, name): (CInt, CInt) =
      switch option {
      case .reuseAddress: (SOL_SOCKET, SO_REUSEADDR)
      case .reusePort: (SOL_SOCKET, SO_REUSEPORT)
      case .noDelay: (CInt(IPPROTO_TCP), TCP_NODELAY)
      case .ipv6Only: (CInt(IPPROTO_IPV6), IPV6_V6ONLY)
      case .sendBuffer: (SOL_SOCKET, SO_SNDBUF)
      case .receiveBuffer: (SOL_SOCKET, SO_RCVBUF)
      }
    var value = value
    return orError(setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<CInt>.size)))
  }

  func bind(_ descriptor: CInt, _ address: SocketAddress) -> CInt {
    orError(address.withKernelAddress { Glibc.bind(descriptor, $0, $1) })
  }

  func listen(_ descriptor: CInt, backlog: CInt) -> CInt { orError(Glibc.listen(descriptor, backlog)) }

  func accept(_ descriptor: CInt, peer: inout SocketAddress?) -> CInt {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let accepted = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        retrying { Int(hawt_accept4(descriptor, address, &length)) }
      }
    }
    if accepted >= 0 { peer = SocketAddress(kernel: storage, length: length) }
    return CInt(accepted)
  }

  func connect(_ descriptor: CInt, _ address: SocketAddress) -> CInt {
    let result = orError(address.withKernelAddress { Glibc.connect(descriptor, $0, $1) })
    // An interrupted attempt goes on in the kernel; calling again would only say EALREADY.
    return result == -EINTR ? -EINPROGRESS : result
  }

  func connectResult(_ descriptor: CInt) -> CInt {
    var code: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    let result = orError(getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length))
    return result < 0 ? result : -code
  }

  func localAddress(_ descriptor: CInt) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return result == 0 ? SocketAddress(kernel: storage, length: length) : nil
  }

  func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    retrying { recv(descriptor, buffer.baseAddress, buffer.count, 0) }
  }

  func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    retrying { Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL)) }
  }

  func receive(
    _ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer, sender: inout SocketAddress?
  ) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let count = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        retrying {
          recvfrom(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_TRUNC), address, &length)
        }
      }
    }
    sender = count >= 0 ? SocketAddress(kernel: storage, length: length) : nil
    return count
  }

  func send(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) -> Int {
    guard let address else { return write(descriptor, bytes) }
    return address.withKernelAddress { pointer, length in
      retrying { sendto(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL), pointer, length) }
    }
  }

  func finishWriting(_ descriptor: CInt) -> CInt { orError(shutdown(descriptor, CInt(SHUT_WR))) }

  // Linux frees the number before it can report anything, EINTR included, so closing again would hit a successor.
  func close(_ descriptor: CInt) { _ = Glibc.close(descriptor) }

  func removeFile(_ path: String) { _ = unlink(path) }

  private func orError(_ result: CInt) -> CInt { result < 0 ? -errno : result }

  @inline(__always)
  private func retrying(_ call: () -> Int) -> Int {
    while true {
      let result = call()
      if result >= 0 { return result }
      if errno != EINTR { return Int(-errno) }
    }
  }
}
