import ArgumentParser
import Glibc

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo", abstract: "Run server and client on every backend and in both styles, and print a table.",
    discussion: "Exits with 1 if a byte was lost or out of order, if a connection of a reactor migrated fewer than 3"
      + " times, or if the handlers of all connections ran on one thread.")

  @OptionGroup
  var load: LoadOptions
  @Option(
    parsing: .unconditional, help: "How many workers the server has, at least 2; default: one per CPU, at least 2.")
  var threads: Int?

  func validate() throws {
    // On one worker nothing could migrate, and in less than a second not often enough.
    try check("--threads", threads, in: 2...1024)
    try check("--seconds", load.seconds, in: 1...86_400)
  }

  func run() throws {
    // A child that has gone is seen by what it does not answer.
    signal(SIGPIPE, SIG_IGN)
    let workers = threads ?? max(2, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
    Output.line(
      "echo demonstration: \(workers) workers, \(load.connections) connections, requests of \(load.size) bytes, every byte checked"
    )
    for missing in BackendChoice.allCases where missing.backend == nil {
      Output.line("left out: \(missing.rawValue), which is not built in; to have it, \(missing.howToHaveIt)")
    }
    var rows: [DemoRow] = []
    for backend in BackendChoice.builtIn {
      for style in [Style.reactor, .proactor] {
        let migrating = style == .reactor ? ", every live connection migrating" : ""
        Output.line("running \(style.rawValue) on \(backend.rawValue) for \(load.seconds) s\(migrating) …")
        let run = DemoRun(style: style, backend: backend, load: load, threads: workers)
        rows.append(try run.row())
      }
    }
    Output.line("\n" + DemoRow.table(rows) + "\n")
    for row in rows { Output.line(row.line) }
    let faults = rows.flatMap { row in row.faults.map { "\(row.style.rawValue) on \(row.backend.rawValue): \($0)" } }
    for fault in faults { Output.error("fault: \(fault)") }
    if !faults.isEmpty { throw ExitCode.failure }
  }
}
