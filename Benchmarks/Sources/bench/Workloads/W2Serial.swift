/// W2: a thousand tasks post themselves again to one serial queue.
enum W2Serial: Workload {
  static let name = "W2"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let others: [Subject] = [
      .dispatchDefault("W2"), .nio("W2"), .concurrency("W2"), .c("W2.fresh", "C fresh"), .c("W2.reused", "C reused"),
    ]
    let hawt = Subject.hawt("W2.fresh", "hawt fresh") + Subject.hawt("W2.reused", "hawt reused")
    let subjects = hawt + [.dispatch("W2")] + effort.unlessQuick(others)
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTasks("W2 tasks that post themselves, one serial queue")
    return results.cells("W2.serial.fresh", atLeast: 2.5, "hawt fresh")
      + results.cells("W2.serial.reused", atLeast: 6, "hawt reused")
  }
}
