import CAllocations
import HawtDispatch
import Support

// One operation of the library, many times, for gates: what does not vary from run to run.
//
//   gates-hawt OPERATION [--count 100000] [--workers 1] [--backend epoll|libevent]
//
// The operation first runs a quarter as often, so that pools and caches have filled; that is the warm-up.

let count = Int(number("count", 100_000))
let dispatcher = try Dispatcher(
  configuration: .init(
    name: "gates", workers: Int(number("workers", 1)),
    backend: option("backend", "epoll") == "libevent" ? .libevent : .epoll))
let operation = try makeOperation(CommandLine.arguments.dropFirst().first ?? "", dispatcher)
operation.run(count / 4)
let before = (wakeUps: sum(\.wakeUps), steals: sum(\.steals))
// Asking for metrics allocates, hence outermost.
let allocations = bench_allocations()
operation.run(count)
let allocated = bench_allocations() - allocations
report("allocations-per-operation", Double(allocated) / Double(count))
report("wake-ups-per-1000", Double(sum(\.wakeUps) - before.wakeUps) * 1000 / Double(count))
report("steals", Double(sum(\.steals) - before.steals))

func sum(_ key: KeyPath<WorkerMetrics, Int>) -> Int { dispatcher.metrics.reduce(0) { $0 + $1[keyPath: key] } }
