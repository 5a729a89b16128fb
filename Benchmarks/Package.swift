// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that peers are no dependency of the library.
let package = Package(
  name: "Benchmarks",
  dependencies: [.package(name: "HawtDispatch", path: "..")],
  targets: [
    .executableTarget(
      name: "Tasks", dependencies: [.product(name: "HawtDispatch", package: "HawtDispatch")],
      swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
