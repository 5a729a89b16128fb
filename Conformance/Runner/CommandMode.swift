#if ConformanceCommand
  import ArgumentParser
  import HawtConformance

  /// What a command line asks for. Each mode takes some of the options; one that it does not take is refused, because
  /// whoever gives it believes that it does something.
  enum CommandMode: CaseIterable {
    case verify, list, matrix, compare, replay

    /// What a message calls it.
    var name: String {
      switch self {
      case .verify: "a verification"
      case .list: "--list"
      case .matrix: "--matrix"
      case .compare: "--compare"
      case .replay: "--replay"
      }
    }

    /// The formats that it can be written in.
    var formats: [Format] {
      switch self {
      case .verify: Format.allCases
      case .list, .matrix, .compare, .replay: [.text, .json]
      }
    }
  }

  extension ConformanceCommand {
    /// What is asked for.
    ///
    /// - Throws: `ValidationError` if several things are.
    func mode() throws -> CommandMode {
      let asked: [(CommandMode, Bool)] = [
        (.list, list), (.matrix, matrix), (.compare, histories.compare), (.replay, histories.replay != nil),
      ]
      let modes = asked.filter(\.1).map(\.0)
      guard modes.count <= 1 else {
        throw ValidationError("\(modes.map(\.name).joined(separator: " and ")) do not combine")
      }
      return modes.first ?? .verify
    }

    /// Refuses what does not combine, and numbers that mean nothing.
    ///
    /// - Throws: `ValidationError`.
    func validateOptions() throws {
      let mode = try mode()
      let given: [(name: String, isGiven: Bool, modes: Set<CommandMode>)] = [
        ("--backend", backend != nil, [.verify, .matrix, .compare, .replay]),
        ("--rule", rule != nil, [.verify, .list]),
        ("--seed", seed != nil, [.verify, .compare]),
        ("--repeat", repetitions != nil, [.verify]),
        ("--scale", scale != nil, [.verify]),
        ("--patience", patience != nil, [.verify, .compare, .replay]),
        ("--fail-fast", failFast, [.verify]),
        ("--histories", histories.histories != nil, histories.repeats ? [.compare, .replay] : [.compare]),
        ("--pace", histories.pace != nil, [.compare]),
        ("--trace", histories.trace != nil, [.compare, .replay]),
      ]
      for option in given where option.isGiven && !option.modes.contains(mode) {
        throw ValidationError(
          "\(option.name) means nothing to \(histories.replay.map { "--replay \($0)" } ?? mode.name)")
      }
      if let format, !mode.formats.contains(format) {
        let known = mode.formats.map(\.rawValue).joined(separator: " or ")
        throw ValidationError("\(mode.name) is not written as \(format.rawValue), only as \(known)")
      }
      try validate("--repeat", repetitions, 1...1_000_000)
      try validate("--histories", histories.histories, 1...1_000_000_000)
      // A day; waits are multiples of it.
      try validate("--patience", patience, 1...86_400)
      try validate("--scale", scale, 0.000_1...1_000)
      if let backend { _ = try parts(of: backend, "--backend") }
      if let rule { try validateRules(rule) }
    }

    private func validate<Value: Comparable>(
      _ name: String, _ value: Value?, _ range: ClosedRange<Value>
    ) throws {
      guard let value, !range.contains(value) else { return }
      throw ValidationError("\(name) is \(value), and must be from \(range.lowerBound) to \(range.upperBound)")
    }

    private func validateRules(_ list: String) throws {
      for part in try parts(of: list, "--rule") where Catalogue.rules(matching: part).isEmpty {
        throw ValidationError("no rule matches '\(part)'; --list prints them")
      }
    }
  }

  /// The parts of what an option names, joined by commas.
  ///
  /// - Throws: `ValidationError` if one is empty, or named twice.
  func parts(of list: String, _ option: String) throws -> [String] {
    let parts = list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    var seen: Set<String> = []
    for part in parts {
      guard !part.isEmpty else { throw ValidationError("\(option) has an empty part: '\(list)'") }
      guard seen.insert(part.lowercased()).inserted else { throw ValidationError("\(option) names '\(part)' twice") }
    }
    return parts
  }
#endif
