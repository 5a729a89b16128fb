/// The rules of pinning and migration, in order.
let migrationRules: [Rule] = [.m1, .m2, .m3, .m4, .m5, .m6, .m7, .m8, .m9]

/// Files that rules of this family point to.
enum MigrationFiles {
  static let queue = "Sources/HawtDispatch/Queues/SerialQueue.swift"
  static let source = "Sources/HawtDispatch/Sources/ReadinessSource.swift"
}
