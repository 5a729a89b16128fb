/// The calls that sockets make, as a seam: the kernel answers them in production, a simulated network may in tests.
///
/// Every function answers at once and never blocks. Results are as the kernel gives them to a system call: zero or
/// more on success, `-errno` on failure; a table of plain numbers costs one indirect call and allocates nothing.
/// Descriptors that a simulation hands out must be ones that its dispatcher's backend can watch. Functions may be
/// called from any thread, for one descriptor never by two at once.
public protocol SocketSystem: AnyObject, Sendable {
  /// A new non-blocking, close-on-exec descriptor.
  func open(_ family: SocketAddress.Family, _ kind: SocketKind) -> CInt
  /// Sets an option; 0 or `-errno`.
  func set(_ option: SocketOption, _ value: CInt, on descriptor: CInt) -> CInt
  /// Gives the socket its address; 0 or `-errno`.
  func bind(_ descriptor: CInt, _ address: SocketAddress) -> CInt
  /// Starts taking connections; 0 or `-errno`.
  func listen(_ descriptor: CInt, backlog: CInt) -> CInt
  /// The next connection that waits, non-blocking and close-on-exec, or `-errno` (`-EAGAIN`: none waits).
  func accept(_ descriptor: CInt, peer: inout SocketAddress?) -> CInt
  /// Begins to connect: 0 done, `-EINPROGRESS` readiness for writing will tell, else `-errno`.
  func connect(_ descriptor: CInt, _ address: SocketAddress) -> CInt
  /// How an attempt to connect ended, once the descriptor is writable; 0 or `-errno`.
  func connectResult(_ descriptor: CInt) -> CInt
  /// The address that the socket is bound to, nil if there is none to be told.
  func localAddress(_ descriptor: CInt) -> SocketAddress?
  /// Bytes read, 0 at the end of the stream, or `-errno`.
  func read(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) -> Int
  /// Bytes written, or `-errno`; never raises SIGPIPE.
  func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> Int
  /// The length of the datagram, which may be more than fitted in, or `-errno`.
  func receive(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer, sender: inout SocketAddress?) -> Int
  /// Bytes sent as one datagram, or `-errno`.
  func send(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) -> Int
  /// Tells the peer that nothing more will be written; 0 or `-errno`.
  func finishWriting(_ descriptor: CInt) -> CInt
  /// Closes the descriptor; it is gone whatever the system says.
  func close(_ descriptor: CInt)
  /// Removes the file that a bound Unix socket leaves behind.
  func removeFile(_ path: String)
}

/// Whether a socket carries a stream of bytes or single datagrams.
public enum SocketKind: Sendable, Hashable, CaseIterable {
  case stream, datagram
}

/// The options that this module sets.
public enum SocketOption: Sendable, Hashable, CaseIterable {
  /// `SO_REUSEADDR`: bind while connections of a former listener linger.
  case reuseAddress
  /// `SO_REUSEPORT`: several sockets share an address, and the kernel spreads the load.
  case reusePort
  /// `TCP_NODELAY`: small writes leave at once.
  case noDelay
  /// `IPV6_V6ONLY`: an IPv6 socket takes no IPv4.
  case ipv6Only
  /// `SO_SNDBUF` and `SO_RCVBUF`: bytes that the kernel buffers (it doubles what is asked).
  case sendBuffer, receiveBuffer
}
