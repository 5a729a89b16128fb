/// W3: threads that are no workers hand tasks to one serial queue.
enum W3Foreign: Workload {
  static let name = "W3"

  static func measure(_ sampler: inout Sampler, _ effort: Effort) throws -> [Cell] {
    try measure(&sampler, effort, producers: 1, fresh: 3, reused: 10)
      + measure(&sampler, effort, producers: 2, fresh: 2, reused: 6)
  }

  private static func measure(
    _ sampler: inout Sampler, _ effort: Effort, producers: Int, fresh: Double, reused: Double
  ) throws -> [Cell] {
    let id = "W3.p\(producers)"
    let others: [Subject] = [
      .dispatchDefault(id), .nio(id), .concurrency(id, scale: 0.1), .c("\(id).fresh", "C fresh"),
      .c("\(id).reused", "C reused"),
    ]
    let hawt = Subject.hawt("\(id).fresh", "hawt fresh") + Subject.hawt("\(id).reused", "hawt reused")
    let subjects = hawt + [.dispatch(id)] + effort.unlessQuick(others)
    let results = try sampler.interleave(subjects, rounds: effort.rounds)
    results.printTasks("W3 tasks from \(producers) foreign thread\(producers == 1 ? "" : "s") to one serial queue")
    return results.cells("\(id).fresh", atLeast: fresh, "hawt fresh")
      + results.cells("\(id).reused", atLeast: reused, "hawt reused")
  }
}
