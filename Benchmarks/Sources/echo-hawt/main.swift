import HawtDispatch
import HawtSockets
import Support

// The library's echo server, as a user would write it with HawtSockets:
//
//   echo-hawt [--backend epoll|libevent] [--style reactor|proactor] [--threads 1]

let backend: Backend = option("backend", "epoll") == "libevent" ? .libevent : .epoll
let style = option("style", "reactor")
let dispatcher = try Dispatcher(
  configuration: .init(name: "echo", workers: Int(number("threads", 1)), backend: backend))
let placement = Placement(dispatcher, pinned: style == "reactor")
let listener = try Listener(
  .loopback(port: 0), on: dispatcher.makeSerialQueue(label: "accept"), connectionQueue: placement.nextQueue
) { connection in
  connection.setReadHandler { connection in
    try connection.read { bytes in try connection.write(bytes) }
  }
  try connection.activate()
}
try listener.activate()
report("port", Double(listener.address.port!))
serveCommandsForever()
