import Glibc

/// User instructions for each operation, counted by callgrind and compared with the figures of the last commit.
struct Instructions {
  private static let valgrind = "/usr/bin/valgrind"
  private static let strip = "/usr/bin/strip"
  private static let operations = [
    ("reused-serial", "epoll"), ("fresh-serial", "epoll"), ("reused-global", "epoll"), ("event-reactor", "epoll"),
    ("event-reactor", "libevent"), ("event-proactor", "epoll"), ("event-proactor", "libevent"),
  ]
  /// The difference of two runs is free of what starting and ending cost.
  private static let counts = (few: 2000, many: 42_000)
  /// The program warms up by a quarter more.
  private static let warmUp = 1.25
  private static let tolerance = 0.05

  /// The file with a line `OPERATION.BACKEND FIGURE` for each.
  let path: String

  func gates() throws -> [Gate] {
    let figures = try committed()
    return try measure().map { name, value in
      Gate(
        name: "instructions.\(name)", value: value,
        limit: figures[name].map { .within(share: Self.tolerance, of: $0) } ?? .unknown)
    }
  }

  func update() throws {
    guard let file = fopen(path, "w") else { throw BenchError("\(path) cannot be written: \(systemMessage())") }
    defer { fclose(file) }
    for (name, value) in try measure() { fputs("\(name) \(Int(value.rounded()))\n", file) }
  }

  private func committed() throws -> [String: Double] {
    var figures = Figures()
    var names: [String] = []
    for line in try readFile(path).split(separator: "\n") {
      guard let figure = Figures.parse(String(line)) else { throw BenchError("\(path): '\(line)' is no figure") }
      figures[figure.key] = figure.value
      names.append(figure.key)
    }
    return Dictionary(uniqueKeysWithValues: names.map { ($0, figures[$0]!) })
  }

  private func measure() throws -> [(String, Double)] {
    // Debian's valgrind cannot read the debugging information that the compiler writes.
    let stripped = Child.path(of: "gates-hawt-stripped")
    _ = try Child(Self.strip, ["--strip-debug", "-o", stripped, Child.path(of: "gates-hawt")], cpu: nil).finish()
    return try Self.operations.map { operation, backend in
      let few = try count(stripped, operation, backend, Self.counts.few)
      let many = try count(stripped, operation, backend, Self.counts.many)
      let operations = Double(Self.counts.many - Self.counts.few) * Self.warmUp
      return ("\(operation).\(backend)", (many - few) / operations)
    }
  }

  private func count(_ program: String, _ operation: String, _ backend: String, _ count: Int) throws -> Double {
    let child = try Child(
      Self.valgrind,
      [
        "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1", program, operation, "--count", "\(count)",
        "--backend", backend,
      ], cpu: nil)
    var collected: Double?
    // `==123== Collected : 456`
    while let line = try child.line() {
      let words = line.split(separator: " ")
      if words.count == 4, words[1] == "Collected" { collected = Double(words[3]) }
    }
    _ = try child.stop()
    guard let collected else { throw BenchError("valgrind told no count of \(operation); see what it said above") }
    return collected
  }
}
