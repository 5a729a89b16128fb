import ArgumentParser

struct LoadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Put load on an echo server and check every byte that comes back.",
    discussion: "Each connection sends a request, waits for all of its bytes, and sends the next. Exits with 1 if a"
      + " byte was lost or out of order, or if the server broke a connection off.")

  @Option(help: "The server's numeric address.")
  var host = "127.0.0.1"
  @Option(parsing: .unconditional, help: "The server's port.")
  var port: Int
  @OptionGroup
  var load: LoadOptions

  func validate() throws { _ = try address(host: host, port: port, from: 1) }

  func run() throws {
    let client = try LoadClient(
      to: address(host: host, port: port, from: 1), connections: load.connections, size: load.size)
    let report = try client.run(seconds: load.seconds)
    Output.line(report.line)
    for fault in report.faults { Output.error("fault: \(fault)") }
    if !report.faults.isEmpty { throw ExitCode.failure }
  }
}
