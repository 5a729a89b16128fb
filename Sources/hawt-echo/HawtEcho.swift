import ArgumentParser

/// The demonstration: an echo server on the library, a client that checks every byte, and both together.
@main
struct HawtEcho: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hawt-echo",
    abstract: "An echo server on HawtDispatch, a client that checks every byte, and a demonstration of both.",
    subcommands: [ServeCommand.self, LoadCommand.self, DemoCommand.self])
}
