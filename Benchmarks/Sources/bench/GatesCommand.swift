import ArgumentParser
import CSupport

/// What must not get worse, and does not vary with the machine's load.
struct GatesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gates", abstract: "Check what does not drift: allocations, system calls, wake-ups, instructions.",
    discussion: "Needs strace and valgrind. Exits with 1 if a gate does not hold.")

  @Flag(help: "Write the instruction figures as they are now, instead of comparing with them.")
  var update = false
  @Argument(help: "The file with the instruction figures.")
  var figures: String

  func run() throws {
    bench_buffer_lines()
    let instructions = Instructions(path: figures)
    if update { return try instructions.update() }
    var failed = 0
    func check(_ gates: [Gate]) {
      for gate in gates { print(gate.line) }
      failed += gates.count { !$0.holds }
    }
    for backend in backends {
      check(try Operations.gates(backend))
      check(try Self.systemCalls(backend))
    }
    check(try instructions.gates())
    guard failed == 0 else {
      print("\(failed) gates do not hold; `make gates-update` takes new instruction figures over")
      throw ExitCode.failure
    }
  }

  private static func systemCalls(_ backend: String) throws -> [Gate] {
    let calls = try SystemCalls.count(.hawt("reactor", backend), EchoLoad(Effort(isQuick: true)))
    return [
      Gate(name: "system-calls.echo.\(backend)", value: calls.perEcho, limit: .atMost(2.05)),
      Gate(name: "epoll-ctl.echo.\(backend)", value: calls.controlPerEcho, limit: .atMost(0)),
    ]
  }
}
