/// One row: a server and a client, each a process of its own, and migrations meanwhile.
struct DemoRun {
  /// How long a process may take to answer; far more than it needs, so that a busy machine is no failure.
  private static let patience = 10.0
  /// From one migration of all connections to the next.
  private static let migrationInterval = 0.2

  let style: Style
  let backend: BackendChoice
  let load: LoadOptions
  let threads: Int

  func row() throws -> DemoRow {
    let server = try ChildProcess([
      "serve", "--backend", backend.rawValue, "--style", style.rawValue, "--threads", "\(threads)", "--port", "0",
      "--control",
    ])
    let listening = try server.line(within: Self.patience)
    guard listening.hasPrefix("listening "), let port = listening.split(separator: ":").last else {
      throw ChildError(description: "expected 'listening ADDRESS:PORT', got '\(listening)'")
    }
    let client = try ChildProcess([
      "load", "--port", String(port), "--connections", "\(load.connections)", "--seconds", "\(load.seconds)",
      "--size", "\(load.size)",
    ])
    let result = try Fields(loadLine(client, server), kind: "load")
    server.send("statistics")
    let books = try Fields(server.line(within: Self.patience), kind: "statistics")
    let row = try DemoRow(style: style, backend: backend, load: result, server: books)
    // Its status only repeats what the numbers say.
    _ = try client.status(within: Self.patience)
    server.terminate()
    let status = try server.status(within: 4)
    guard status == 0 else { throw ChildError(description: "the server ended with status \(status) after SIGTERM") }
    return row
  }

  /// The client's result; until it comes, every live connection of a reactor is moved on, again and again.
  private func loadLine(_ client: ChildProcess, _ server: ChildProcess) throws -> String {
    let step = style == .reactor ? Self.migrationInterval : load.seconds + Self.patience
    for _ in 0..<Int((load.seconds + Self.patience) / step) {
      if let line = try client.lineIfAny(within: step) { return line }
      server.send("migrate")
      _ = try Fields(server.line(within: Self.patience), kind: "migrated")
    }
    throw ChildError(description: "the client printed no result")
  }
}
