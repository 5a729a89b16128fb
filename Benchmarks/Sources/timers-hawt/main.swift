import CSupport
import HawtDispatch
import Support

// The timers of this library, armed on the queue that they fire on, as a loop with IO does.

let dispatcher = try Dispatcher(
  configuration: .init(
    name: "timers", workers: 1, backend: option("backend", "epoll") == "libevent" ? .libevent : .epoll))
let queue = try dispatcher.makeSerialQueue(label: "timers", target: dispatcher.threadQueues[0])
let gate = Gate()

/// What the tasks of the queue share.
final class Bench: @unchecked Sendable {
  // Sound as Sendable: touched on `queue` alone.
  private let timers: UnsafeMutablePointer<bench_timers> = bench_timers_make(CommandLine.argc, CommandLine.unsafeArgv)
  private var count: Int { timers.pointee.count }

  func armAndCancel() {
    var handles: [TimerHandle] = []
    handles.reserveCapacity(count)
    bench_timers_begin(timers)
    for index in 0..<count {
      handles.append(queue.asyncAfter(.microseconds(Int(timers.pointee.far_delays[index]))) {})
    }
    bench_timers_inserted(timers)
    for index in 0..<count { handles[Int(timers.pointee.order[index])].cancel() }
    bench_timers_cancelled(timers)
  }

  func fire() {
    for index in 0..<count {
      bench_timers_arming(timers, index)
      queue.asyncAfter(.microseconds(Int(timers.pointee.near_delays[index]))) { [self] in
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
