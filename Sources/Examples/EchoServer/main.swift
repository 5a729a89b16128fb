import Glibc
import HawtDispatch
import HawtSockets

let dispatcher = try Dispatcher()  // one worker per usable CPU, the default backend
let listener = try Listener(
  .loopback(port: 7777), on: dispatcher.makeSerialQueue(label: "accept"),
  connectionQueue: { dispatcher.makeSerialQueue(label: "connection") }  // proactor: any worker may run it
) { connection in
  connection.setReadHandler { connection in
    try connection.read { bytes in try connection.write(bytes) }  // the rest of a partial write follows by itself
  }
  connection.setCloseHandler { reason in print("\(connection) closed: \(reason)") }
  try connection.activate()
}
try listener.activate()
print("echoing at \(listener.address)")
while true { pause() }
