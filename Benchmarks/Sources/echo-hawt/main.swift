import HawtDispatch
import HawtSockets
import Support

// The library's echo server, as a user would write it with HawtSockets:
//
//   echo-hawt [--backend epoll|libevent] [--style reactor|proactor] [--threads 1]
//     [--migrate 1]                 every connection moves ten times a second
//     [--poll-interval-us 1000]     how often it looks for more while it has work at hand
//     [--work-us W [--balance 1]]   every second connection computes for W µs before it answers, and is moved to where
//                                   there is less to do
//
// Commands on standard input: `hold` blocks one worker for a second, `spin` starts a queue that is always busy.

let dispatcher = try Dispatcher(
  configuration: .init(
    name: "echo", workers: Int(number("threads", 1)),
    backend: option("backend", "epoll") == "libevent" ? .libevent : .epoll,
    pollInterval: .microseconds(Int(number("poll-interval-us", 1000)))))
let placement = Placement(dispatcher, pinned: option("style", "reactor") == "reactor")
let migration = number("migrate", 0) == 1 ? try Migration(dispatcher) : nil
let work = number("work-us", 0)
let weights =
  work > 0 ? try Weights(dispatcher, workMicroseconds: work, balances: number("balance", 0) == 1) : nil
let listener = try Listener(
  .loopback(port: 0), on: dispatcher.makeSerialQueue(label: "accept"),
  connectionQueue: {
    let queue = try placement.nextQueue()
    weights?.weigh(queue)
    return queue
  }
) { connection in
  if let weight = connection.queue.specific(Weight.key) {
    connection.setReadHandler { connection in
      weight.carry()
      try connection.read { bytes in try connection.write(bytes) }
    }
  } else {
    connection.setReadHandler { connection in
      try connection.read { bytes in try connection.write(bytes) }
    }
  }
  try connection.activate()
  migration?.add(connection.queue)
}
try listener.activate()
report("port", Double(listener.address.port!))
serveCommandsForever { command in Disturbance.obey(String(cString: command!), on: dispatcher) }
