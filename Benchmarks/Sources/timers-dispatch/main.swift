import CSupport
import Dispatch
import Support

// The timers of libdispatch. What can be cancelled is a timer source; what fires once is `asyncAfter`.

let queue = DispatchQueue(label: "timers", target: .global())
let gate = Gate()

/// What the tasks of the queue share.
final class Bench: @unchecked Sendable {
  // Sound as Sendable: touched on `queue` alone.
  private let timers: UnsafeMutablePointer<bench_timers> = bench_timers_make(CommandLine.argc, CommandLine.unsafeArgv)
  private var count: Int { timers.pointee.count }

  func armAndCancel() {
    var sources: [any DispatchSourceTimer] = []
    sources.reserveCapacity(count)
    bench_timers_begin(timers)
    for index in 0..<count {
      let source = DispatchSource.makeTimerSource(queue: queue)
      source.schedule(deadline: .now() + .microseconds(Int(timers.pointee.far_delays[index])), leeway: .nanoseconds(0))
      source.setEventHandler {}
      source.activate()
      sources.append(source)
    }
    bench_timers_inserted(timers)
    for index in 0..<count { sources[Int(timers.pointee.order[index])].cancel() }
    bench_timers_cancelled(timers)
  }

  func fire() {
    for index in 0..<count {
      bench_timers_arming(timers, index)
      queue.asyncAfter(deadline: .now() + .microseconds(Int(timers.pointee.near_delays[index]))) { [self] in
        if bench_timers_fired(timers, index) != 0 {
          bench_timers_report(timers)
          gate.signal()
        }
      }
    }
    bench_timers_all_armed(timers)
  }
}

let bench = Bench()
queue.async {
  bench.armAndCancel()
  if number("fire", 1) == 0 { gate.signal() } else { bench.fire() }
}
gate.wait()
