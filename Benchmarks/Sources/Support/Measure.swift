internal import CSupport
internal import Glibc

/// A workload of tasks: runs once and says how many operations that were.
package typealias TaskWorkload = () -> Int

/// Runs the workload that the command line names, once to warm up and once measured, reports nanoseconds per operation,
/// and ends the process.
package func runNamedWorkload(_ workloads: KeyValuePairs<String, TaskWorkload>) -> Never {
  let name = CommandLine.arguments.dropFirst().first ?? ""
  guard let run = workloads.first(where: { $0.key == name })?.value else {
    fatalError("there is no workload '\(name)'; there are \(workloads.map(\.key).joined(separator: ", "))")
  }
  _ = run()
  let began = bench_now()
  let operations = run()
  report("ns-per-op", Double(bench_now() - began) / Double(operations))
  report("threads", Double(bench_thread_count()))
  exit(0)
}

/// Bytes that malloc has handed out.
package func allocatedBytes() -> Int { Int(bench_allocated_bytes()) }
