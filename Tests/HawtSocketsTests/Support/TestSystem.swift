import Glibc
import HawtSockets

/// The kernel's sockets, counted, and made to fail or to fall short where a test says so.
final class TestSystem: SocketSystem {
  struct Counts: Sendable {
    var accepts = 0
    var reads = 0
    var writes = 0
    /// How often each descriptor was handed out, and closed.
    var opened: [CInt: Int] = [:]
    var closed: [CInt: Int] = [:]
    var removedFiles: [String] = []

    /// Whether each descriptor was closed as often as it was handed out.
    var isBalanced: Bool { opened == closed }
  }

  struct Faults: Sendable {
    /// This many accepts fail with `acceptError`.
    var failingAccepts = 0
    var acceptError = EMFILE
    /// No write takes more than this.
    var mostPerWrite = Int.max
    /// This many sends of datagrams find the kernel's buffer full.
    var fullSends = 0
  }

  private let kernel = SocketSystems.kernel
  let counts = Shared(Counts())
  let faults = Shared(Faults())
  /// Told of each descriptor that was closed.
  let closes = Promise<CInt>()

  private func noteOpened(_ descriptor: CInt) -> CInt {
    if descriptor >= 0 { counts.update { $0.opened[descriptor, default: 0] += 1 } }
    return descriptor
  }

  func open(_ family: SocketAddress.Family, _ kind: SocketKind) -> CInt { noteOpened(kernel.open(family, kind)) }

  func accept(_ descriptor: CInt, peer: inout SocketAddress?) -> CInt {
    counts.update { $0.accepts += 1 }
    let failure = faults.update { faults -> CInt? in
      guard faults.failingAccepts > 0 else { return nil }
      faults.failingAccepts -= 1
      return -faults.acceptError
    }
    return failure ?? noteOpened(kernel.accept(descriptor, peer: &peer))
  }

  func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    counts.update { $0.reads += 1 }
    return kernel.read(descriptor, into: buffer)
  }

  func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int {
    counts.update { $0.writes += 1 }
    let most = faults.value.mostPerWrite
    return kernel.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, most)]))
  }

  func send(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) -> Int {
    let isFull = faults.update { faults in
      faults.fullSends -= 1
      return faults.fullSends >= 0
    }
    return isFull ? -Int(EAGAIN) : kernel.send(descriptor, bytes, to: address)
  }

  func close(_ descriptor: CInt) {
    counts.update { $0.closed[descriptor, default: 0] += 1 }
    kernel.close(descriptor)
    closes.fulfil(descriptor)
  }

  func removeFile(_ path: String) {
    counts.update { $0.removedFiles.append(path) }
    kernel.removeFile(path)
  }

  func set(_ option: SocketOption, _ value: CInt, on descriptor: CInt) -> CInt {
    kernel.set(option, value, on: descriptor)
  }
  func bind(_ descriptor: CInt, _ address: SocketAddress) -> CInt { kernel.bind(descriptor, address) }
  func listen(_ descriptor: CInt, backlog: CInt) -> CInt { kernel.listen(descriptor, backlog: backlog) }
  func connect(_ descriptor: CInt, _ address: SocketAddress) -> CInt { kernel.connect(descriptor, address) }
  func connectResult(_ descriptor: CInt) -> CInt { kernel.connectResult(descriptor) }
  func localAddress(_ descriptor: CInt) -> SocketAddress? { kernel.localAddress(descriptor) }
  func finishWriting(_ descriptor: CInt) -> CInt { kernel.finishWriting(descriptor) }
  func receive(
    _ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer, sender: inout SocketAddress?
  ) -> Int { kernel.receive(descriptor, into: buffer, sender: &sender) }
}
