import Glibc
import HawtDispatch
import HawtSockets
import Support

// The library's echo server, as a user would write it with HawtSockets:
//
//   echo-hawt [--backend epoll|libevent] [--style reactor|proactor] [--threads 1] [--migrate 1]
//
// The command `hold` on standard input blocks one worker for a second.

let dispatcher = try Dispatcher(
  configuration: .init(
    name: "echo", workers: Int(number("threads", 1)),
    backend: option("backend", "epoll") == "libevent" ? .libevent : .epoll))
let placement = Placement(dispatcher, pinned: option("style", "reactor") == "reactor")
let migration = number("migrate", 0) == 1 ? try Migration(dispatcher) : nil
let listener = try Listener(
  .loopback(port: 0), on: dispatcher.makeSerialQueue(label: "accept"), connectionQueue: placement.nextQueue
) { connection in
  connection.setReadHandler { connection in
    try connection.read { bytes in try connection.write(bytes) }
  }
  try connection.activate()
  migration?.add(connection.queue)
}
try listener.activate()
report("port", Double(listener.address.port!))
serveCommandsForever { _ in
  hold(dispatcher)
  return 1
}
