import Glibc
import Testing

@Suite("README")
struct ReadmeTests {
  @Test("The echo server in the README is the one that is compiled, and has at most 20 lines")
  func echoServer() throws {
    let example = try text("Sources/Examples/EchoServer/main.swift")
    let readme = try text("README.md")
    #expect(readme.contains("```swift\n\(example)```\n"), "copy the example into the README's first block of code")
    #expect(example.split(separator: "\n", omittingEmptySubsequences: false).count <= 21)
  }

  /// A file of the package, which the tests are run from a build of.
  private func text(_ path: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try #require(fopen("/\(root)/\(path)", "r"))
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }
}
