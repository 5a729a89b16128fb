import Glibc
import Testing

@testable import hawt_echo

/// What the command refuses before it does anything, in words that name the option, with the exit code of wrong usage.
@Suite("hawt-echo arguments", .timeLimit(.minutes(10)))
struct ArgumentTests {
  /// A command line, and what the refusal must say.
  struct Refused: Sendable, CustomTestStringConvertible {
    let line: String
    let says: String
    var testDescription: String { line }

    init(_ line: String, _ says: String) { (self.line, self.says) = (line, says) }
  }

  static let refused = [
    Refused("serve --port 65536", "--port is 65536, and must be from 0 to 65535"),
    Refused("serve --port -1", "--port is -1, and must be from 0 to 65535"),
    Refused("serve --port many", "'many' is invalid for '--port <port>'"),
    Refused("serve --backend kqueue", "Please provide one of 'epoll' and 'libevent'"),
    Refused("serve --style actor", "Please provide one of 'reactor' and 'proactor'"),
    Refused("serve --threads 0", "--threads is 0, and must be from 1 to 1024"),
    Refused("serve --threads -2", "--threads is -2, and must be"),
    Refused("serve --threads 1025", "--threads is 1025, and must be"),
    Refused("serve --host localhost", "--host: 'localhost' is no socket address"),
    Refused("load", "Missing expected argument '--port <port>'"),
    Refused("load --port 0", "--port is 0, and must be from 1 to 65535"),
    Refused("load --port 70000", "--port is 70000, and must be"),
    Refused("load --port 1 --connections 0", "--connections is 0, and must be from 1 to 10000"),
    Refused("load --port 1 --connections -5", "--connections is -5, and must be"),
    Refused("load --port 1 --connections 10001", "--connections is 10001, and must be"),
    Refused("load --port 1 --seconds 0", "--seconds is 0.0, and must be"),
    Refused("load --port 1 --seconds -1", "--seconds is -1.0, and must be"),
    Refused("load --port 1 --seconds nan", "--seconds is nan, and must be"),
    Refused("load --port 1 --seconds inf", "--seconds is inf, and must be"),
    Refused("load --port 1 --size 0", "--size is 0, and must be from 1 to 16777216"),
    Refused("load --port 1 --host ::1%nowhere", "no network interface 'nowhere'"),
    Refused("demo --connections 0", "--connections is 0, and must be"),
    Refused("demo --seconds 0.5", "--seconds is 0.5, and must be from 1"),
    Refused("demo --seconds inf", "--seconds is inf, and must be"),
    Refused("demo --size 16777217", "--size is 16777217, and must be"),
    Refused("demo --threads 1", "--threads is 1, and must be from 2 to 1024"),
    Refused("dance", "'dance'"),
  ]

  @Test("What means nothing is refused with exit code 64", arguments: refused)
  func refuses(refused: Refused) throws {
    let end = try EchoProcess(refused.line.split(separator: " ").map(String.init)).ended()
    #expect(end.code == 64, "\(end)")
    #expect(end.text.hasPrefix("Error: ") && end.text.contains(refused.says), "\(end.text)")
  }

  @Test(
    "A backend is served or, where it is not built in, refused with how to have it", arguments: BackendChoice.allCases)
  func backends(choice: BackendChoice) throws {
    let server = try EchoProcess(["serve", "--backend", choice.rawValue, "--port", "0"])
    guard choice.backend == nil else {
      _ = try server.port()
      return
    }
    let end = try server.ended()
    #expect(end.code == 64 && end.text.contains("is not built in; to have it, \(choice.howToHaveIt)"), "\(end)")
  }

  @Test("What the system refuses is told with exit code 1")
  func refusedBySystem() throws {
    let server = try EchoProcess(["serve", "--port", "0"])
    let port = try server.port()
    let second = try EchoProcess(["serve", "--port", "\(port)"]).ended()
    #expect(second.code == 1 && second.text.contains("Address already in use"), "\(second)")
    server.send(SIGTERM)
    #expect(try server.ended().code == 0)
    // At this address no other test listens.
    let client = try EchoProcess(["load", "--host", "127.0.0.78", "--port", "\(port)"]).ended()
    #expect(client.code == 1 && client.text.contains("Connection refused"), "\(client)")
  }
}
