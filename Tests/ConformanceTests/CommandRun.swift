#if ConformanceCommand
  import Foundation

  @testable import HawtConformance

  /// What a command of the package did when it was run.
  struct CommandRun: CustomStringConvertible {
    /// Its exit code; nil if a signal ended it, or the test's patience.
    let code: Int32?
    /// What it wrote to standard output, and to standard error.
    let output: String
    let errors: String
    /// All that it wrote.
    var text: String { output + errors }

    /// The exit code and what was written.
    var description: String { "exit code \(code.map { "\($0)" } ?? "none"):\n\(text)" }

    /// Runs a command that lies beside the test bundle.
    static func of(_ name: String, _ arguments: [String]) throws -> CommandRun {
      try of(executable: try path(name), arguments)
    }

    /// Where it lies.
    static func path(_ name: String) throws -> String { try directory.appending(path: name).path }

    /// Runs a line as a shell does.
    static func ofShell(_ line: String) throws -> CommandRun { try of(executable: "/bin/sh", ["-c", line]) }

    private static var directory: URL {
      get throws {
        let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: here).deletingLastPathComponent()
      }
    }

    private static func of(executable: String, _ arguments: [String]) throws -> CommandRun {
      // A worker that a broken backend never wakes cannot be joined: under the thread sanitizer its peers would count as
      // leaked, and change the exit code.
      let former = ProcessInfo.processInfo.environment["TSAN_OPTIONS"].map { $0 + " " } ?? ""
      let outcome = try spawn(
        executable, arguments, environment: ["TSAN_OPTIONS": former + "report_thread_leaks=0"], atMost: .seconds(600))
      let killed = outcome.timedOut ? "\nkilled: it took longer than 10 minutes" : ""
      return CommandRun(
        code: outcome.exitCode, output: outcome.standardOutput, errors: outcome.standardError + killed)
    }
  }
#endif
