import CSupport
import Dispatch
import Support

// The echo on libdispatch: a read source and a serial queue for each connection. The queues target a global queue, or
// with `--default 1` have the default target.

let usesDefault = option("default", "0") == "1"
let accepts = accept(bench_listen()) {
  usesDefault ? DispatchQueue(label: "connection") : DispatchQueue(label: "connection", target: .global())
}
serveCommandsForever()
