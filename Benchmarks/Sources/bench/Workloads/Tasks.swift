extension Subject {
  /// A program that measures one workload of tasks in itself, on all CPUs.
  static func tasks(_ name: String, _ program: String, _ workload: String, _ arguments: [String] = []) -> Subject {
    Subject(name: name) {
      let child = try Child(program, [workload] + arguments, cpu: nil)
      return try child.finish()
    }
  }
}
