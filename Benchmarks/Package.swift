// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that peers are no dependency of the library.

/// The same strictness as the library's own targets.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

let hawt: Target.Dependency = .product(name: "HawtDispatch", package: "HawtDispatch")
let sockets: Target.Dependency = .product(name: "HawtSockets", package: "HawtDispatch")
let nio: [Target.Dependency] = [
  .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
]
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

/// The C library's Linux functions.
let gnu: [CSetting] = [.define("_GNU_SOURCE")]

/// A C program; each is small and measures one thing.
func program(_ name: String, libraries: [String] = []) -> Target {
  .executableTarget(
    name: name, dependencies: ["CSupport"], cSettings: gnu, linkerSettings: libraries.map { .linkedLibrary($0) })
}

/// A Swift program that is measured.
func subject(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .executableTarget(name: name, dependencies: ["Support", "CSupport"] + dependencies, swiftSettings: strict)
}

let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "HawtDispatch", path: "..", traits: [.defaults, "Libevent"]),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .target(name: "CSupport", cSettings: gnu),
    program("echo-epoll"),
    program("echo-load"),
    program("echo-libevent", libraries: ["event_core"]),
    program("echo-libuv", libraries: ["uv"]),
    program("echo-threads"),
    program("tasks-c"),
    program("timers-libevent", libraries: ["event_core"]),
    program("timers-libuv", libraries: ["uv"]),
    .target(name: "Support", dependencies: ["CSupport"], swiftSettings: strict),
    subject("echo-hawt", [hawt, sockets]),
    subject("echo-dispatch"),
    subject("echo-nio", nio),
    subject("tasks-hawt", [hawt]),
    subject("tasks-dispatch"),
    subject("tasks-nio", nio),
    subject("tasks-concurrency"),
    .target(name: "CAllocations"),
    subject("gates-hawt", [hawt, "CAllocations"]),
    subject("timers-hawt", [hawt]),
    subject("timers-dispatch"),
    subject("timers-nio", nio),
    .executableTarget(name: "bench", dependencies: ["CSupport", arguments], swiftSettings: strict),
  ]
)
