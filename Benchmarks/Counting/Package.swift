// swift-tools-version: 6.2
import PackageDescription

let metering = Target.Dependency.product(name: "Metering", package: "meterd")

let package = Package(
  name: "count-bench",
  dependencies: [.package(name: "meterd", path: "../..")],
  targets: [
    .target(name: "GeneratedText", swiftSettings: [.swiftLanguageMode(.v6)]),
    .executableTarget(
      name: "count-bench", dependencies: [metering, "GeneratedText"], swiftSettings: [.swiftLanguageMode(.v6)]),
    .executableTarget(
      name: "decode-bench", dependencies: [metering, "GeneratedText"], swiftSettings: [.swiftLanguageMode(.v6)]),
  ]
)
