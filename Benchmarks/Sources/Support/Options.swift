internal import CSupport
internal import Glibc

/// The value of `--name VALUE` on the command line. Subjects take few options, from the runner: no need for a parser
/// that would be linked into what is measured.
package func option(_ name: String, _ missing: String) -> String {
  bench_option(CommandLine.argc, CommandLine.unsafeArgv, name, nil).map { String(cString: $0) } ?? missing
}

/// The same, as a number.
package func number(_ name: String, _ missing: Double) -> Double {
  bench_number(CommandLine.argc, CommandLine.unsafeArgv, name, missing)
}

/// Tells the runner a figure.
package func report(_ key: String, _ value: Double) { bench_report(key, value) }

/// Does what the runner asks for on standard input until its end, which ends the process.
///
/// - Parameter obey: answers the commands that not every program knows.
package func serveCommandsForever(_ obey: (@convention(c) (UnsafePointer<CChar>?) -> Double)? = nil) -> Never {
  bench_serve_commands(obey)
  while true { pause() }
}
