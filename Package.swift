// swift-tools-version: 6.2
import PackageDescription

/// Strictness that every Swift target of this package shares; warnings become errors in CI (see the Makefile).
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The backends that the traits choose. Traits are additive over a package graph, so each *adds* its backend.
let backends: [Target.Dependency] = [
  .target(name: "PollingEpoll", condition: .when(traits: ["Epoll"])),
  .target(name: "PollingLibevent", condition: .when(traits: ["Libevent"])),
]

let package = Package(
  name: "HawtDispatch",
  products: [
    .library(name: "HawtDispatch", targets: ["HawtDispatch"]),
    .library(name: "HawtSockets", targets: ["HawtSockets"]),
    .library(name: "Polling", targets: ["Polling"]),
    .library(name: "HawtConformance", targets: ["HawtConformance"]),
    .library(name: "HawtConformanceCommand", targets: ["HawtConformanceCommand"]),
  ],
  traits: [
    .default(enabledTraits: ["Epoll"]),
    .trait(name: "Epoll", description: "The native Linux backend (needs nothing but the kernel)."),
    .trait(name: "Libevent", description: "The libevent backend (needs Debian's libevent-dev)."),
    .trait(
      name: "LibeventDefault", description: "Makes libevent what `.default` means.",
      enabledTraits: ["Libevent"]),
    .trait(name: "ConformanceCommand", description: "The product of that name works, and needs swift-argument-parser."),
  ],
  // What a product needs is fetched by everybody who depends on this package, unless a trait stands before it. The
  // executables are no products.
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "CLinux"),
    .systemLibrary(name: "CLibevent", path: "CLibevent"),
    .target(name: "Polling", dependencies: ["CLinux"], swiftSettings: strict),
    .target(name: "PollingEpoll", dependencies: ["Polling", "CLinux"], swiftSettings: strict),
    .target(
      name: "PollingLibevent",
      dependencies: ["Polling", .target(name: "CLibevent", condition: .when(traits: ["Libevent"]))],
      swiftSettings: strict),
    .target(
      name: "HawtDispatch", dependencies: ["Polling", "CLinux"] + backends, swiftSettings: strict),
    .target(name: "HawtSockets", dependencies: ["HawtDispatch", "CLinux"], swiftSettings: strict),
    .executableTarget(
      name: "hawt-echo",
      dependencies: [
        "HawtDispatch", "HawtSockets", "CLinux",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "example-echo-server", dependencies: ["HawtDispatch", "HawtSockets"],
      path: "Sources/Examples/EchoServer", swiftSettings: strict),
    .target(
      name: "HawtConformance", dependencies: ["HawtDispatch", "Polling", "CLinux"] + backends,
      path: "Conformance/Kit", swiftSettings: strict),
    .target(
      name: "HawtConformanceCommand",
      dependencies: [
        "HawtConformance", "Polling",
        .product(
          name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["ConformanceCommand"])),
      ], path: "Conformance/Runner", swiftSettings: strict),
    .executableTarget(
      name: "hawt-conformance", dependencies: ["HawtConformance", "HawtConformanceCommand"],
      path: "Conformance/Main", swiftSettings: strict),
    .target(
      name: "BrokenBackends", dependencies: ["HawtConformance", "Polling"] + backends,
      path: "Conformance/Broken/Backends", swiftSettings: strict),
    .executableTarget(
      name: "hawt-conformance-broken", dependencies: ["BrokenBackends", "HawtConformanceCommand"],
      path: "Conformance/Broken/Command", swiftSettings: strict),
    .testTarget(
      name: "PollingTests", dependencies: ["Polling", "CLinux"] + backends, swiftSettings: strict),
    .testTarget(
      name: "HawtDispatchTests", dependencies: ["HawtDispatch", "Polling", "CLinux"],
      swiftSettings: strict),
    .testTarget(
      name: "HawtSocketsTests", dependencies: ["HawtDispatch", "HawtSockets", "CLinux"],
      swiftSettings: strict),
    .testTarget(
      name: "HawtEchoTests", dependencies: ["hawt-echo", "HawtDispatch", "HawtSockets"],
      swiftSettings: strict),
    .testTarget(
      name: "ConformanceTests",
      dependencies: [
        "BrokenBackends", "HawtConformance", "HawtConformanceCommand", "HawtDispatch", "Polling", "hawt-conformance",
        "hawt-conformance-broken",
      ], swiftSettings: strict),
  ]
)
