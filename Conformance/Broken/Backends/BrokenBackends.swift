public import HawtConformance

/// A backend that is wrong on purpose, and the rule that must find it out.
public struct BrokenSubject: Sendable, CustomStringConvertible {
  /// The backend.
  public let subject: Subject
  /// The rule that is named for the flaw.
  public let rule: String
  /// The families, by their letters, that rest on what is broken: a rule of any other must still hold.
  public let families: String

  init<F: Flaw>(_ name: String, _ flaw: F.Type, _ rule: String, mayBreak families: String) {
    subject = Subject(name: name, BrokenBackend<F>.self)
    self.rule = rule
    self.families = families
  }

  /// For a script: the name, the rule, and the families.
  public var line: String { "\(subject.name) \(rule) \(families)" }

  /// The name of the flaw.
  public var description: String { subject.name }

  /// The backend that has the same wrapper and no flaw: it must keep every rule that the others break.
  public static let control = BrokenSubject("no-flaw", NoFlaw.self, "B1,B2,B4,B5,B6,B7,B8,S9,L5", mayBreak: "")

  /// Whatever makes a worker deaf, or costs each dispatcher a descriptor, is met by the rules of every family.
  private static let everything = "QMSTCLB"

  /// All flaws.
  public static let all = [
    BrokenSubject("edge-triggered", EdgeTriggered.self, "B1", mayBreak: everything),
    BrokenSubject("masked-hang-up", MaskedHangUp.self, "B1", mayBreak: "SB"),
    BrokenSubject("early-report", EarlyReport.self, "B1", mayBreak: "QMSLB"),
    BrokenSubject("directions-exchanged", DirectionsExchanged.self, "B1", mayBreak: everything),
    BrokenSubject("added-replaces", AddedReplaces.self, "B1", mayBreak: "SB"),
    BrokenSubject("empty-interest-stays", EmptyInterestStays.self, "B2", mayBreak: "MB"),
    BrokenSubject("empty-interest-forever", EmptyInterestForever.self, "B2", mayBreak: "QMSLB"),
    BrokenSubject("ignored-removal", IgnoredRemoval.self, "B4", mayBreak: "MSLB"),
    BrokenSubject("lazy-add", LazyAdd.self, "B4", mayBreak: "SB"),
    BrokenSubject("one-error-for-all", OneErrorForAll.self, "B4", mayBreak: "SB"),
    BrokenSubject("duplicated-slot", DuplicatedSlot.self, "B5", mayBreak: "B"),
    BrokenSubject("favourites-first", FavouritesFirst.self, "B5", mayBreak: "B"),
    BrokenSubject("one-thread-only", OneThreadOnly.self, "B6", mayBreak: everything),
    BrokenSubject("lost-wake-up", LostWakeUp.self, "B7", mayBreak: everything),
    BrokenSubject("wait-ends-empty", WaitEndsEmpty.self, "B7", mayBreak: "QTLB"),
    BrokenSubject("unlike-others", UnlikeOthers.self, "B8", mayBreak: "B"),
    BrokenSubject("stale-token", StaleToken.self, "B4", mayBreak: "MB"),
    BrokenSubject("inherited", Inherited.self, "S9", mayBreak: "S"),
    BrokenSubject("left-open", LeftOpen.self, "L5", mayBreak: everything),
  ]
}
