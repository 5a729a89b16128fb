import ArgumentParser
import CSupport

/// The table of goals.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Measure the table of goals.",
    discussion: "Prints tables for people and, last, one line for each goal for scripts.")

  private static let workloads: [any Workload.Type] = [
    W1Global.self, W2Serial.self, W3Foreign.self, W4Hops.self, W5Many.self, W6Echo.self, W7Timers.self,
    W8Idle.self, W9Migration.self, W10Held.self, Fairness.self, Placement.self,
  ]

  @Flag(help: "Fewer rounds and shorter samples.")
  var quick = false
  @Option(help: "One workload: \(workloads.map { $0.name }.joined(separator: ", ")).")
  var only: String?

  func validate() throws {
    if let only, !Self.workloads.contains(where: { $0.name == only }) {
      throw ValidationError("there is no workload \(only)")
    }
  }

  func run() throws {
    // What a pipe shows should be what has happened so far.
    bench_buffer_lines()
    _ = bench_raise_descriptor_limit()
    let effort = Effort(isQuick: quick)
    var sampler = Sampler(quick: quick)
    var cells: [Cell] = []
    for workload in Self.workloads where isWanted(workload) {
      cells += try workload.measure(&sampler, effort)
    }
    print()
    if sampler.disturbed > 0 { print("\(sampler.disturbed) samples were disturbed by other load in every attempt") }
    for cell in cells { print(cell.line) }
  }

  private func isWanted(_ workload: any Workload.Type) -> Bool {
    if let only { return workload.name == only }
    return workload.hasGoals || !quick
  }
}
