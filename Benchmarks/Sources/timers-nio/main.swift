import CSupport
import NIOCore
import NIOPosix
import Support

// The timers of SwiftNIO, armed on the event loop that they fire on.

let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
let gate = Gate()

/// What the tasks of the loop share.
final class Bench: @unchecked Sendable {
  // Sound as Sendable: touched on `loop` alone.
  private let timers: UnsafeMutablePointer<bench_timers> = bench_timers_make(CommandLine.argc, CommandLine.unsafeArgv)
  private var count: Int { timers.pointee.count }

  func armAndCancel() {
    var tasks: [Scheduled<Void>] = []
    tasks.reserveCapacity(count)
    bench_timers_begin(timers)
    for index in 0..<count {
      tasks.append(loop.scheduleTask(in: .microseconds(Int64(timers.pointee.far_delays[index]))) {})
    }
    bench_timers_inserted(timers)
    for index in 0..<count { tasks[Int(timers.pointee.order[index])].cancel() }
    bench_timers_cancelled(timers)
  }

  func fire() {
    for index in 0..<count {
      bench_timers_arming(timers, index)
      loop.scheduleTask(in: .microseconds(Int64(timers.pointee.near_delays[index]))) { [self] in
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
loop.execute {
  bench.armAndCancel()
  if number("fire", 1) == 0 { gate.signal() } else { bench.fire() }
}
gate.wait()
