import ArgumentParser
import HawtSockets

/// Refuses an option's value that lies outside of its range; nil passes.
func check<Value: Comparable>(_ option: String, _ value: Value?, in range: ClosedRange<Value>) throws {
  guard let value, !range.contains(value) else { return }
  throw ValidationError("\(option) is \(value), and must be from \(range.lowerBound) to \(range.upperBound)")
}

/// The address that `--host` and `--port` name; a port below `lowest` means nothing.
func address(host: String, port: Int, from lowest: Int) throws -> SocketAddress {
  try check("--port", port, in: lowest...Int(UInt16.max))
  do {
    return try SocketAddress(host, port: UInt16(port))
  } catch {
    throw ValidationError("--host: \(error)")
  }
}
