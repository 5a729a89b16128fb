import Polling

/// Where a backend is known to be unlike the rules, declared as data: it must then be unlike them in just this way.
///
/// A difference that is gone fails, too: then the declaration is what is wrong.
public struct KnownDifference: Sendable, Hashable {
  enum Place: Sendable, Hashable {
    case row(String, DescriptorState.Expectation)
    case check(rule: String, check: String, saying: String)
  }

  let place: Place
  /// Why it is so, and what it means to a user.
  public let why: String

  /// A row of the readiness matrix that comes out otherwise.
  public static func row(
    _ state: String, is outcome: DescriptorState.Expectation, because why: String
  ) -> KnownDifference {
    KnownDifference(place: .row(state, outcome), why: why)
  }

  /// A check that fails, and in no other way.
  ///
  /// - Parameters:
  ///   - rule: the rule's ID.
  ///   - check: the check's name.
  ///   - phrase: what each of its failures says.
  ///   - why: why it is so, and what it means to a user.
  public static func check(
    _ rule: String, _ check: String, saying phrase: String, because why: String
  ) -> KnownDifference {
    KnownDifference(place: .check(rule: rule, check: check, saying: phrase), why: why)
  }

  /// What is different, in words.
  public var what: String {
    switch place {
    case .row(let state, _): state
    case .check(let rule, let check, _): "\(rule): \(check)"
    }
  }
}

extension Subject {
  /// The difference that is declared for a row of the readiness matrix.
  func difference(inRow state: String) -> (outcome: DescriptorState.Expectation, why: String)? {
    for difference in knownDifferences {
      if case .row(state, let outcome) = difference.place { return (outcome, difference.why) }
    }
    return nil
  }

  /// The checks of a rule for which a difference is declared and which it does not have: a check was given another name,
  /// say, and the declaration would be true of nothing.
  func unknownChecks(of rule: Rule) -> [String] {
    knownDifferences.compactMap { difference in
      guard case .check(rule.id, let check, _) = difference.place else { return nil }
      return rule.checks.contains { $0.name == check } ? nil : check
    }
  }

  /// How and why a check is expected to fail, if it is.
  func difference(inCheck check: String, of rule: String) -> (phrase: String, why: String)? {
    for difference in knownDifferences {
      if case .check(rule, check, let phrase) = difference.place { return (phrase, difference.why) }
    }
    return nil
  }
}
