// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "decode-bench",
  dependencies: [.package(name: "meterd", path: "../..")],
  targets: [
    .executableTarget(
      name: "decode-bench", dependencies: [.product(name: "Metering", package: "meterd")],
      swiftSettings: [.swiftLanguageMode(.v6)])
  ]
)
