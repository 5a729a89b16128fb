import CSupport
import Dispatch
import Glibc
import Support

/// One read and one write per readiness, on a serial queue of its own.
///
/// Its source keeps it alive until the source is cancelled.
final class Connection: @unchecked Sendable {
  // Sound as Sendable: immutable after `start`, and its handlers run on its own queue.
  private let descriptor: CInt
  private let source: any DispatchSourceRead
  private let buffer = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 16)

  init(_ descriptor: CInt, on queue: DispatchQueue) {
    self.descriptor = descriptor
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
  }

  deinit { buffer.deallocate() }

  func start() {
    source.setEventHandler { [unowned self] in echo() }
    source.setCancelHandler { [self] in close(descriptor) }
    source.activate()
  }

  private func echo() {
    let count = read(descriptor, buffer, 4096)
    if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
    // The client sends the next message only when it has the last one, so the kernel always has room for 64 bytes.
    if count <= 0 || send(descriptor, buffer, count, CInt(MSG_NOSIGNAL)) != count { source.cancel() }
  }
}

/// Accepts, and gives every connection a queue that `makeQueue` makes.
func accept(_ listener: CInt, makeQueue: @escaping @Sendable () -> DispatchQueue) -> any DispatchSourceRead {
  let source = DispatchSource.makeReadSource(fileDescriptor: listener, queue: makeQueue())
  source.setEventHandler {
    let descriptor = accept(listener, nil, nil)
    guard descriptor >= 0 else { return }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    bench_no_delay(descriptor)
    Connection(descriptor, on: makeQueue()).start()
  }
  source.activate()
  return source
}
