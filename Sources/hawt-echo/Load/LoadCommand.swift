import ArgumentParser

struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Put load on an echo server and check every byte that comes back.",
    discussion: "Each connection sends a request, waits for all of its bytes, and sends the next. Exits with 1 if a"
      + " byte was lost or out of order, or if the server broke a connection off.")

  @Option(help: "The server's numeric address.")
  var host = "127.0.0.1"
  @Option(help: "The server's port.")
  var port: UInt16
  @Option(help: "How many connections.")
  var connections = 50
  @Option(help: "How long to go on.")
  var seconds = 3.0
  @Option(help: "Bytes in a request.")
  var size = 64

  func validate() throws {
    guard (1...10_000).contains(connections) else { throw ValidationError("--connections must be from 1 to 10000") }
    guard seconds > 0, seconds <= 86_400 else { throw ValidationError("--seconds must be more than 0, at most a day") }
    guard (1...(16 << 20)).contains(size) else { throw ValidationError("--size must be from 1 to 16777216 bytes") }
  }

  func run() throws {
    let client = try LoadClient(host: host, port: port, connections: connections, size: size)
    let report = try client.run(seconds: seconds)
    Output.line(report.line)
    for fault in report.faults { Output.error("fault: \(fault)") }
    if !report.faults.isEmpty { throw ExitCode.failure }
  }
}
