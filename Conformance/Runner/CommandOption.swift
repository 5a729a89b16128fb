/// Why a command line means nothing, or what it names is not there.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// How the process is to end.
struct ExitCode: Error {
  let rawValue: Int32
  init(_ rawValue: Int32) { self.rawValue = rawValue }
}

/// An option of the command, and what it sets.
///
/// A package for this would be fetched by everybody who depends on ours, for the sake of a product that few of them use.
struct CommandOption {
  /// With its two hyphens.
  let name: String
  /// What stands for the value in the help; nil for a flag.
  let value: String?
  let help: String
  /// Sets a property to what was given; a flag is given nothing. False if that is no such value.
  let set: (inout ConformanceCommand, Substring) -> Bool

  static func flag(_ name: String, _ help: String, _ place: WritableKeyPath<ConformanceCommand, Bool>) -> CommandOption
  {
    CommandOption(name: "--" + name, value: nil, help: help) { command, _ in
      command[keyPath: place] = true
      return true
    }
  }

  static func value<Value: LosslessStringConvertible>(
    _ name: String, _ value: String, _ help: String, _ place: WritableKeyPath<ConformanceCommand, Value?>
  ) -> CommandOption {
    CommandOption(name: "--" + name, value: value, help: help) { command, text in
      command[keyPath: place] = Value(String(text))
      return command[keyPath: place] != nil
    }
  }

  /// An option that is one of a few names.
  static func choice<Value: RawRepresentable & CaseIterable>(
    _ name: String, _ help: String, _ place: WritableKeyPath<ConformanceCommand, Value?>
  ) -> CommandOption where Value.RawValue == String {
    let names = Value.allCases.map(\.rawValue).joined(separator: "|")
    return CommandOption(name: "--" + name, value: names, help: help) { command, text in
      command[keyPath: place] = Value(rawValue: String(text))
      return command[keyPath: place] != nil
    }
  }
}
