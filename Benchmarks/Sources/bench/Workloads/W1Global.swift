/// W1: a thousand tasks post themselves again to the global queue; two workers.
enum W1Global: Workload {
  static let name = "W1"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    let others = [Subject.nio("W1"), .concurrency("W1"), .c("W1")]
    let subjects = Subject.hawt("W1") + [.dispatch("W1")] + effort.unlessQuick(others)
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTasks("W1 tasks that post themselves, global queue, 2 workers")
    return results.cells("W1.global", atLeast: 5)
  }
}
