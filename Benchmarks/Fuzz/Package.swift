// swift-tools-version: 6.2
import PackageDescription

// Built by the script `fuzz` beside this file, which adds the instrumentation to all targets.
let package = Package(
  name: "meterd-fuzz",
  dependencies: [.package(name: "meterd", path: "../..")],
  targets: [
    .executableTarget(
      name: "fuzz-decode", dependencies: [.product(name: "Metering", package: "meterd")],
      swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
