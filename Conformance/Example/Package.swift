// swift-tools-version: 6.2
import PackageDescription

// A package of somebody else's, with a backend of its own, that depends on the library by path.
let package = Package(
  name: "poll-backend",
  dependencies: [.package(name: "HawtDispatch", path: "../..", traits: [.defaults, "ConformanceCommand"])],
  targets: [
    .target(name: "PollBackend", dependencies: [.product(name: "Polling", package: "HawtDispatch")]),
    .executableTarget(
      name: "verify-poll",
      dependencies: ["PollBackend", .product(name: "HawtConformanceCommand", package: "HawtDispatch")]),
    .executableTarget(
      name: "verify-in-code",
      dependencies: ["PollBackend", .product(name: "HawtConformance", package: "HawtDispatch")]),
    .testTarget(
      name: "PollBackendTests",
      dependencies: ["PollBackend", "verify-poll", .product(name: "HawtConformance", package: "HawtDispatch")]),
  ])
