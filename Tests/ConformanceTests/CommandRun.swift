import Foundation

/// What a command of the package did when it was run.
struct CommandRun: CustomStringConvertible {
  /// Its exit code, or the signal that ended it.
  let code: Int32
  /// What it wrote, on either stream.
  let text: String

  /// The exit code and what was written.
  var description: String { "exit code \(code):\n\(text)" }

  /// Runs a command that lies beside the test bundle.
  static func of(_ name: String, _ arguments: [String]) throws -> CommandRun {
    try of(executable: try directory.appending(path: name), arguments)
  }

  /// Runs a line as a shell does.
  static func ofShell(_ line: String) throws -> CommandRun {
    try of(executable: URL(filePath: "/bin/sh"), ["-c", line])
  }

  private static var directory: URL {
    get throws {
      let here = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      return URL(filePath: here).deletingLastPathComponent()
    }
  }

  private static func of(executable: URL, _ arguments: [String]) throws -> CommandRun {
    let process = Foundation.Process()
    process.executableURL = executable
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return CommandRun(code: process.terminationStatus, text: text)
  }
}
