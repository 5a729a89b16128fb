/// Every rule that the kit knows, by family.
public enum Catalogue {
  /// All rules, in the order of RULES.md.
  public static let rules: [Rule] =
    queueRules + migrationRules + sourceRules + timerRules + mergingRules + lifetimeRules + backendRules

  /// The rules whose ID matches a pattern: a plain ID, or a prefix followed by `*`; several are joined by commas.
  public static func rules(matching pattern: String) -> [Rule] {
    let patterns = pattern.split(separator: ",").map { $0.uppercased() }
    return rules.filter { rule in
      patterns.contains { pattern in
        pattern.hasSuffix("*") ? rule.id.hasPrefix(pattern.dropLast()) : rule.id == pattern
      }
    }
  }
}
