import Glibc

/// Why the suite cannot go on, and what to do.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// What the system says about an error number; by default the last one.
func systemMessage(_ number: CInt = errno) -> String { String(cString: strerror(number)) }
