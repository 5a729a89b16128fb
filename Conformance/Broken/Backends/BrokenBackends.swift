public import HawtConformance

/// A backend that is wrong on purpose, and the rule that must find it out.
public struct BrokenSubject: Sendable, CustomStringConvertible {
  /// The backend.
  public let subject: Subject
  /// The rule that is named for the flaw.
  public let rule: String
  /// The families that rest on what is broken, by their letters: their rules may fail too, and no other family's. Of
  /// family B, those rules may that are in `related`.
  public let families: String
  /// The rules about bare backends that the flaw spoils as well; those that it leaves alone must hold.
  public let related: Set<String>

  init<F: Flaw>(
    _ name: String, _ flaw: F.Type, _ rule: String, _ families: String = "QMSTLB", related: Set<String> = []
  ) {
    subject = Subject(name: name, BrokenBackend<F>.self)
    self.rule = rule
    self.families = families
    self.related = related
  }

  /// The name of the flaw.
  public var description: String { subject.name }

  /// The backend that has the same wrapper and no flaw: it must keep every rule that the others break.
  public static let control = BrokenSubject("no-flaw", NoFlaw.self, "B1,B2,B4,B5,B6,B7,B8,S9,L5")

  /// What cannot be told apart: nothing that a dispatcher does gets on, or each check leaves something behind.
  private static let everything = Set((1...8).map { "B\($0)" })

  /// All flaws.
  public static let all = [
    BrokenSubject("edge-triggered", EdgeTriggered.self, "B1", "QMSTCLB", related: everything),
    BrokenSubject("masked-hang-up", MaskedHangUp.self, "B1", related: ["B2", "B8"]),
    BrokenSubject("early-report", EarlyReport.self, "B1", related: ["B2", "B4", "B5", "B7", "B8"]),
    BrokenSubject("directions-exchanged", DirectionsExchanged.self, "B1", "QMSTCLB", related: everything),
    BrokenSubject("added-replaces", AddedReplaces.self, "B1", related: ["B6", "B8"]),
    BrokenSubject("empty-interest-stays", EmptyInterestStays.self, "B2", related: ["B3", "B8"]),
    BrokenSubject("empty-interest-forever", EmptyInterestForever.self, "B2", related: ["B1", "B8"]),
    BrokenSubject("ignored-removal", IgnoredRemoval.self, "B4", related: ["B1", "B6", "B8"]),
    BrokenSubject("lazy-add", LazyAdd.self, "B4", related: ["B1", "B8"]),
    BrokenSubject("one-error-for-all", OneErrorForAll.self, "B4", related: ["B1", "B8"]),
    BrokenSubject("duplicated-slot", DuplicatedSlot.self, "B5", related: ["B4", "B6", "B8"]),
    BrokenSubject("favourites-first", FavouritesFirst.self, "B5"),
    BrokenSubject("one-thread-only", OneThreadOnly.self, "B6", "QMSTCLB", related: everything),
    BrokenSubject("lost-wake-up", LostWakeUp.self, "B7", "QMSTCLB", related: everything),
    BrokenSubject("wait-ends-empty", WaitEndsEmpty.self, "B7", related: ["B2"]),
    BrokenSubject("unlike-others", UnlikeOthers.self, "B8", related: ["B1"]),
    BrokenSubject("stale-token", StaleToken.self, "B4", related: ["B1", "B8"]),
    BrokenSubject("inherited", Inherited.self, "S9", "S"),
    BrokenSubject("left-open", LeftOpen.self, "L5", "QMSTCLB", related: everything),
  ]
}
