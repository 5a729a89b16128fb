/// What the client saw.
struct LoadReport {
  var connections = 0
  var requests = 0
  var seconds = 0.0
  var p50us = 0
  var p99us = 0
  /// Bytes sent and never answered.
  var lost = 0
  /// Bytes received that do not belong where they stood.
  var misordered = 0
  /// Connections that the server closed or reset before their time was up.
  var broken = 0

  var requestsPerSecond: Int { seconds > 0 ? Int(Double(requests) / seconds) : 0 }

  /// What the server did wrong, in words; empty if nothing.
  var faults: [String] {
    var faults: [String] = []
    if lost > 0 { faults.append("\(lost) bytes were lost") }
    if misordered > 0 { faults.append("\(misordered) bytes were out of order") }
    if broken > 0 { faults.append("\(broken) of \(connections) connections were broken off") }
    if requests == 0 { faults.append("no request was answered") }
    return faults
  }

  /// One line for scripts, and for the demonstration, which reads it back.
  var line: String {
    "load connections \(connections) requests \(requests) rps \(requestsPerSecond) p50us \(p50us) p99us \(p99us)"
      + " lost \(lost) misordered \(misordered) broken \(broken)"
  }
}
