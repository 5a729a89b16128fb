import ArgumentParser

/// Measures the library beside its peers.
@main
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure HawtDispatch beside its peers.",
    subcommands: [CompareCommand.self, PlotCommand.self, GrowthCommand.self, GatesCommand.self],
    defaultSubcommand: CompareCommand.self)
}
