import ArgumentParser

/// What the load consists of, for the client and for the demonstration.
struct LoadOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "How many connections.")
  var connections = 50
  @Option(parsing: .unconditional, help: "How many seconds to go on.")
  var seconds = 3.0
  @Option(parsing: .unconditional, help: "Bytes in a request.")
  var size = 64

  func validate() throws {
    try check("--connections", connections, in: 1...10_000)
    // At most a day.
    try check("--seconds", seconds, in: 0.001...86_400)
    try check("--size", size, in: 1...16 << 20)
  }
}
