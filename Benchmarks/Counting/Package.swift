// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "count-bench",
  dependencies: [.package(name: "meterd", path: "../..")],
  targets: [
    .executableTarget(
      name: "count-bench", dependencies: [.product(name: "Metering", package: "meterd")],
      swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
