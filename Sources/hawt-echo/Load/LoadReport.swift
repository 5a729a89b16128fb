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

  var requestsPerSecond: Int { seconds > 0 ? Int(Double(requests) / seconds) : 0 }
  var isFaultless: Bool { lost == 0 && misordered == 0 && requests > 0 }

  /// One line for scripts, and for the demonstration, which reads it back.
  var line: String {
    "load connections \(connections) requests \(requests) rps \(requestsPerSecond) p50us \(p50us) p99us \(p99us)"
      + " lost \(lost) misordered \(misordered)"
  }
}
