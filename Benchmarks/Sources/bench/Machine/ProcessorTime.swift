import Glibc

/// How long the machine's CPUs have been busy since it started, whoever used them.
///
/// Interrupts are left out because they come with our own work; time that the hypervisor took is in, because it is lost
/// to us just as if a neighbour had taken it.
struct ProcessorTime {
  let busy: Double

  static func now() throws(BenchError) -> ProcessorTime {
    // user nice system idle iowait irq softirq steal
    let fields = try readFile("/proc/stat").prefix { $0 != "\n" }.split(separator: " ").dropFirst().compactMap {
      Double($0)
    }
    guard fields.count >= 8 else { throw BenchError("/proc/stat does not begin with the CPUs' times") }
    return ProcessorTime(busy: (fields[0] + fields[1] + fields[2] + fields[7]) / Double(sysconf(CInt(_SC_CLK_TCK))))
  }
}

/// A whole file of /proc, which tells no size beforehand.
func readFile(_ path: String) throws(BenchError) -> String {
  guard let file = fopen(path, "r") else { throw BenchError("\(path) cannot be read: \(systemMessage())") }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 16 * 1024)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self)
}
