public import HawtConformance

/// A backend that is wrong on purpose, and the rule that must find it out.
public struct BrokenSubject: Sendable, CustomStringConvertible {
  /// The backend.
  public let subject: Subject
  /// The rule that is named for the flaw.
  public let rule: String

  init<F: Flaw>(_ name: String, _ flaw: F.Type, _ rule: String) {
    subject = Subject(name: name, BrokenBackend<F>.self)
    self.rule = rule
  }

  /// The name of the flaw.
  public var description: String { subject.name }

  /// The backend that has the same wrapper and no flaw: it must keep every rule that the others break.
  public static let control = BrokenSubject("no-flaw", NoFlaw.self, "B1,B2,B4,B5,B6,B7,B8,S9,L5")

  /// All flaws.
  public static let all = [
    BrokenSubject("edge-triggered", EdgeTriggered.self, "B1"),
    BrokenSubject("masked-hang-up", MaskedHangUp.self, "B1"),
    BrokenSubject("early-report", EarlyReport.self, "B1"),
    BrokenSubject("directions-exchanged", DirectionsExchanged.self, "B1"),
    BrokenSubject("added-replaces", AddedReplaces.self, "B1"),
    BrokenSubject("empty-interest-stays", EmptyInterestStays.self, "B2"),
    BrokenSubject("empty-interest-forever", EmptyInterestForever.self, "B2"),
    BrokenSubject("ignored-removal", IgnoredRemoval.self, "B4"),
    BrokenSubject("lazy-add", LazyAdd.self, "B4"),
    BrokenSubject("one-error-for-all", OneErrorForAll.self, "B4"),
    BrokenSubject("duplicated-slot", DuplicatedSlot.self, "B5"),
    BrokenSubject("favourites-first", FavouritesFirst.self, "B5"),
    BrokenSubject("one-thread-only", OneThreadOnly.self, "B6"),
    BrokenSubject("lost-wake-up", LostWakeUp.self, "B7"),
    BrokenSubject("wait-ends-empty", WaitEndsEmpty.self, "B7"),
    BrokenSubject("unlike-others", UnlikeOthers.self, "B8"),
    BrokenSubject("stale-token", StaleToken.self, "B4"),
    BrokenSubject("inherited", Inherited.self, "S9"),
    BrokenSubject("left-open", LeftOpen.self, "L5"),
  ]
}
