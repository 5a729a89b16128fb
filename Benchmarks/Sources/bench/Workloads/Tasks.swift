/// Both have the same goals.
let backends = ["epoll", "libevent"]

extension Subject {
  /// A program that measures one workload of tasks in itself, on all CPUs.
  static func tasks(_ name: String, _ program: String, _ workload: String, _ arguments: [String] = []) -> Subject {
    Subject(name: name) { try Child(program, [workload] + arguments, cpu: nil).finish() }
  }

  /// This library on each backend.
  static func hawt(_ workload: String, _ name: String = "hawt") -> [Subject] {
    backends.map { .tasks("\(name) \($0)", "tasks-hawt", workload, ["--backend", $0]) }
  }

  /// Queues that target a global one; the default ones are too slow at these workloads to be what goals compare with.
  static func dispatch(_ workload: String) -> Subject { .tasks("libdispatch", "tasks-dispatch", workload) }
  static func dispatchDefault(_ workload: String) -> Subject {
    .tasks("libdispatch default", "tasks-dispatch", workload, ["--default", "1"])
  }
  static func nio(_ workload: String) -> Subject { .tasks("SwiftNIO", "tasks-nio", workload) }
  static func concurrency(_ workload: String, scale: Double = 0.2) -> Subject {
    .tasks("Swift concurrency", "tasks-concurrency", workload, ["--scale", "\(scale)"])
  }
  static func c(_ workload: String, _ name: String = "C") -> Subject { .tasks(name, "tasks-c", workload) }
}

extension Results {
  /// What a comparison of tasks shows.
  func printTasks(_ title: String, peer: String = "libdispatch") {
    printTable(title, ["ns-per-op"], ratio: ("ns-per-op", peer))
  }

  /// A cell for each backend: how many times as fast as libdispatch.
  func cells(_ id: String, atLeast goal: Double, _ name: String = "hawt") -> [Cell] {
    backends.map { .atLeast(goal, "\(id).\($0)", speed("\(name) \($0)", over: "libdispatch"), "x-libdispatch") }
  }
}
