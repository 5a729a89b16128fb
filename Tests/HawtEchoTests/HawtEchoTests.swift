import HawtDispatch
import HawtSockets
import Testing

@testable import hawt_echo

/// The demonstration's verdict is worth something only if each fault that it names can make it fail.
@Suite("hawt-echo", .timeLimit(.minutes(10)))
struct HawtEchoTests {
  enum Fault: String, CaseIterable, Sendable {
    case none, swapsTwoBytes, dropsAByte, doublesAByte, answersAnotherConnection, closesAConnection
  }

  @Test("The client sees every fault that a server can commit", arguments: Fault.allCases)
  func clientSeesFaults(fault: Fault) async throws {
    let dispatcher = try Dispatcher(configuration: .init(name: "faulty", workers: 2))
    let queue = dispatcher.makeSerialQueue(label: "all")
    let server = FaultyServer(fault, on: queue)
    let listener = try Listener(.loopback(), on: queue, connectionQueue: { queue }) { try server.serve($0) }
    try listener.activate()
    let client = try LoadClient(to: listener.address, connections: 2, size: 100)
    let report = try client.run(seconds: 0.2, grace: 0.2)
    switch fault {
    case .none: #expect(report.faults.isEmpty, "\(report)")
    case .dropsAByte: #expect(report.lost > 0 && report.misordered > 0 && report.faults.count == 2, "\(report)")
    case .closesAConnection: #expect(report.broken == 1 && !report.faults.isEmpty, "\(report)")
    default: #expect(report.misordered > 0 && !report.faults.isEmpty, "\(report)")
    }
    queue.async { server.close() }
    listener.cancel()
    await dispatcher.shutdown()
  }

  @Test("A row names each fault, and its line is the one that scripts read")
  func rows() throws {
    func row(_ style: Style, load: String, server: String) throws -> DemoRow {
      try DemoRow(
        style: style, backend: .epoll, load: Fields(load, kind: "load"), server: Fields(server, kind: "statistics"))
    }
    let load = "load connections 50 requests 9 rps 3 p50us 1 p99us 2 lost 0 misordered 0 broken 0"
    let good = try row(.reactor, load: load, server: "statistics connections 50 threads 2 migrations 150 fewest 3")
    #expect(good.faults.isEmpty)
    #expect(
      good.line
        == "demo reactor epoll connections 50 rps 3 p50us 1 p99us 2 threads 2 migrations 150 lost 0 misordered 0")
    let still = "statistics connections 50 threads 1 migrations 100 fewest 2"
    #expect(try row(.reactor, load: load, server: still).faults.count == 2)
    #expect(try row(.proactor, load: load, server: still).faults.count == 1)
    let bad = "load connections 50 requests 0 rps 0 p50us 0 p99us 0 lost 5 misordered 6 broken 7"
    #expect(try row(.reactor, load: bad, server: still).faults.count == 6)
    #expect(throws: ChildError.self) { try Fields("load connections", kind: "statistics") }
    #expect(throws: ChildError.self) { try Fields("load connections", kind: "load").number("connections") }
  }

  @Test("Percentiles are exact to a bin's width, for small and for large durations")
  func percentiles() {
    var histogram = LatencyHistogram()
    #expect(histogram.percentile(0.5) == 0)
    for value in 1...100_000 { histogram.record(nanoseconds: UInt64(value)) }
    for share in [0.001, 0.5, 0.99, 1] {
      let exact = 100_000 * share
      #expect(abs(Double(histogram.percentile(share)) - exact) <= exact / 32 + 1)
    }
    histogram.record(nanoseconds: .max)
    #expect(histogram.percentile(1) == .max)
  }
}

/// Echoes, but for one fault after the first few requests.
private final class FaultyServer: @unchecked Sendable {
  // Sound as Sendable: everything is touched on one queue.
  private let fault: HawtEchoTests.Fault
  private var connections: [Connection] = []
  private var requests = 0

  init(_ fault: HawtEchoTests.Fault, on queue: SerialQueue) { self.fault = fault }

  func serve(_ connection: Connection) throws {
    connections.append(connection)
    connection.setReadHandler { [self] connection in
      try connection.read { span in
        var bytes = span.withUnsafeBytes { Array($0) }
        requests += 1
        try (requests == 10 ? corrupt(&bytes, connection) : connection).write(bytes)
      }
    }
    try connection.activate()
  }

  func close() {
    for connection in connections { connection.cancel() }
    connections = []
  }

  /// Which connection answers.
  private func corrupt(_ bytes: inout [UInt8], _ connection: Connection) -> Connection {
    switch fault {
    case .none: break
    case .swapsTwoBytes:
      let place = bytes.indices.dropLast().first { bytes[$0] != bytes[$0 + 1] } ?? 0
      bytes.swapAt(place, place + 1)
    case .dropsAByte: bytes.remove(at: 3)
    case .doublesAByte: bytes.insert(bytes[3], at: 3)
    case .closesAConnection: connection.cancel()
    case .answersAnotherConnection: return connections.first { $0 !== connection } ?? connection
    }
    return connection
  }
}
